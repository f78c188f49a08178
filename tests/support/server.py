"""A server at an address and port as its clients see it, asked from a namespace or from where the
tests run."""
import http.client
import json
import socket


class Server:
    def __init__(self, address, port, space=None):
        self.address, self.port, self.space = address, port, space

    def connect(self, source=None, space=None, seconds=10, receive_buffer=None):
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        if space := space or self.space:
            with space.inside():
                sock = socket.socket(family, socket.SOCK_STREAM)
        else:
            sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(seconds)
            if receive_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source:
                sock.bind((source, 0))
            sock.connect((self.address, self.port))
        except OSError:
            sock.close()
            raise
        return sock

    def say(self, data, source=None, seconds=1):
        """Sends raw bytes and returns all that came back before the server closed (or nothing came
        for so long)."""
        answer = b""
        with self.connect(source) as sock:
            sock.settimeout(seconds)
            try:
                sock.sendall(data)
                while piece := sock.recv(65536):
                    answer += piece
            except OSError:
                pass
        return answer


class HttpServer(Server):
    def get(self, path, method="GET", headers=None, body=None):
        connection = http.client.HTTPConnection(self.address, self.port)
        connection.sock = self.connect()
        try:
            connection.request(method, path, body=body, headers=headers or {})
            return Reply(connection.getresponse())
        finally:
            connection.close()


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.body)

    def __getitem__(self, name):
        return self.headers.get(name)
