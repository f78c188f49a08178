"""A TIC client that speaks as AICCU does, written from the protocol description alone."""
import hashlib
import ssl


class TicError(AssertionError):
    pass


def answer_to(challenge, password, method="md5"):
    if method == "clear":
        return password
    hash_of = getattr(hashlib, method)
    return hash_of((challenge + hash_of(password.encode()).hexdigest()).encode()).hexdigest()


class Tic:
    def __init__(self, sock, timeout=15):
        """`sock`: connected to the server."""
        self.sock = sock
        self.sock.settimeout(timeout)
        self.buffer = b""
        self.greeting = self.line()

    def line(self):
        while b"\n" not in self.buffer:
            data = self.sock.recv(4096)
            if not data:
                raise TicError(f"closed; left: {self.buffer!r}")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        assert not line.endswith(b"\r"), f"the server ends lines with LF: {line!r}"
        return line.decode("ascii")

    def send(self, text, end="\n"):
        self.sock.sendall((text + end).encode())

    def ask(self, text, expect="2"):
        """One command, one line of answer; returns its text without the code."""
        self.send(text)
        answer = self.line()
        if not answer.startswith(expect):
            raise TicError(f"{text}: {answer}")
        return answer[4:]

    def block(self, text):
        """A command answered by 201 ... 202; returns the lines between."""
        self.ask(text, "201")
        lines = []
        while not (line := self.line()).startswith("202"):
            lines.append(line)
        return lines

    def starttls(self):
        self.ask("starttls", "200")
        assert not self.buffer
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)

    def login(self, user, password, method="md5"):
        self.ask("client TIC/draft-00 Tester/1.0 Linux/6.1", "200")
        self.ask("get unixtime", "200")
        self.ask(f"username {user}", "200")
        challenge = self.ask(f"challenge {method}", "200")
        return self.ask(f"authenticate {method} {answer_to(challenge, password, method)}", "200")

    def tunnels(self):
        return [line.split(" ") for line in self.block("tunnel list")]

    def tunnel(self, tid):
        return dict(line.split(": ", 1) for line in self.block(f"tunnel show {tid}"))

    def quit(self):
        try:
            self.send("QUIT thanks")
            return self.line()
        finally:
            self.sock.close()
