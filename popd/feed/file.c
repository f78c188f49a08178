#include "popd/feed/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/digest.h"
#include "lib/err.h"

void file_free(uint8_t *data, size_t len)
{
	if (data)
		secure_zero(data, len);
	free(data);
}

/* Reads up to `size` bytes. 0 or -ERR_SYS. */
static int read_all(int fd, uint8_t *data, size_t size, size_t *len)
{
	ssize_t got;

	*len = 0;
	while ((got = read(fd, data + *len, size - *len)) > 0)
		*len += (size_t)got;
	return got < 0 ? -ERR_SYS : 0;
}

static int read_open_file(int fd, uint8_t **out, size_t *len)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -ERR_SYS;
	if (st.st_size < 0 || st.st_size > FILE_SIZE_MAX)
		return -ERR_RANGE;
	uint8_t *data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ERR_NOMEM;
	int err = read_all(fd, data, (size_t)st.st_size, len);
	if (err)
		file_free(data, *len);
	else
		*out = data;
	return err;
}

int file_read(const char *path, uint8_t **data, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? -ERR_NOT_FOUND : -ERR_SYS;
	int err = read_open_file(fd, data, len), saved = errno;
	close(fd);
	errno = saved;
	return err;
}

bool file_write(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* False with errno. */
static bool sync_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return false;
	bool good = fsync(fd) == 0;
	int saved = errno;
	close(fd);
	errno = saved;
	return good;
}

static const char *write_temporary(const struct file_replacement *r)
{
	int fd = open(r->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	const char *failed = NULL;

	if (fd < 0)
		return "open";
	if (!file_write(fd, r->data, r->len))
		failed = "write";
	else if (fsync(fd) != 0)
		failed = "fsync";
	int saved = errno;
	if (close(fd) != 0 && !failed)
		return "close";
	errno = saved;
	return failed;
}

const char *file_replace(const struct file_replacement *r)
{
	const char *failed = write_temporary(r);

	if (failed)
		return failed;
	if (rename(r->temporary, r->path) != 0)
		return "rename";
	return sync_directory(r->directory) ? NULL : "fsync of the directory";
}
