#include "popd/ctl/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_TIMEOUT = 60 /* seconds */, CHUNK = 65536, ANSWER_MAX = 64 << 20 };

int client_connect(const char *path, char why[static CLIENT_WHY])
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT };

	if (strlen(path) >= sizeof(at.sun_path)) {
		snprintf(why, CLIENT_WHY, "the path of the control socket is too long: %.150s",
			 path);
		return -1;
	}
	memcpy(at.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
		return fd;
	}
	if (errno == ENOENT || errno == ECONNREFUSED)
		snprintf(
			why, CLIENT_WHY,
			"popd does not answer on %s: is it running? (--socket PATH names another socket)",
			path);
	else
		snprintf(why, CLIENT_WHY, "popd cannot be reached on %s: %s", path,
			 strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

int client_send(int fd, const char *request, char why[static CLIENT_WHY])
{
	if (send_all(fd, request, strlen(request)) == 0 && send_all(fd, "\n", 1) == 0)
		return 0;
	snprintf(why, CLIENT_WHY, "popd has closed the connection: %s", strerror(errno));
	return -1;
}

char *client_ask(int fd, const char *request, char why[static CLIENT_WHY])
{
	char *answer = NULL;
	size_t len = 0, size = 0;

	if (client_send(fd, request, why) != 0)
		return NULL;
	for (;;) {
		if (size - len < CHUNK) {
			char *grown = size < ANSWER_MAX ? realloc(answer, size + CHUNK) : NULL;
			if (!grown) {
				snprintf(why, CLIENT_WHY, "popd's answer is too long");
				break;
			}
			answer = grown;
			size += CHUNK;
		}
		ssize_t n = recv(fd, answer + len, size - len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				snprintf(why, CLIENT_WHY,
					 "popd has closed the connection without an answer");
			else if (errno == EAGAIN || errno == EWOULDBLOCK)
				snprintf(why, CLIENT_WHY, "popd did not answer within %d s",
					 ANSWER_TIMEOUT);
			else
				snprintf(why, CLIENT_WHY, "popd's answer cannot be read: %s",
					 strerror(errno));
			break;
		}
		len += (size_t)n;
		if (answer[len - 1] == '\n') {
			answer[len - 1] = '\0';
			return answer;
		}
	}
	free(answer);
	return NULL;
}
