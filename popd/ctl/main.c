/* popctl: asks a running popd over its control socket. */
#include <stdio.h>
#include <unistd.h>

#include "popd/ctl/client.h"
#include "popd/ctl/command.h"

int main(int argc, char **argv)
{
	struct request r;
	char why[CLIENT_WHY];

	int status = command_parse(argc, argv, &r);
	if (status != 0)
		return status < 0 ? 0 : status;
	int fd = client_connect(r.socket, why);
	if (fd < 0) {
		fprintf(stderr, "popctl: %s\n", why);
		return 1;
	}
	status = r.command->run(fd, &r, stdout, stderr);
	close(fd);
	return fflush(stdout) == 0 ? status : 1;
}
