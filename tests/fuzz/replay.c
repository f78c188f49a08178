/* Runs every file of the corpus folders named on the command line through a fuzz target, with any
 * compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A block of exactly the file's size, so that a sanitizer sees a read one byte beyond it. */
static int replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size ? size : 1);

	if (!file || !data || fread(data, 1, size, file) != size) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	fclose(file);
	int result = LLVMFuzzerTestOneInput(data, size);
	free(data);
	return result;
}

static unsigned replay_folder(const char *folder)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, NULL, alphasort);
	unsigned count = 0;

	for (int i = 0; i < n; i++) {
		char path[4096];
		struct stat st;
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
			(void)replay_file(path, (size_t)st.st_size);
			count++;
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return count;
}

int main(int argc, char **argv)
{
	static const uint8_t nothing[1];

	(void)LLVMFuzzerTestOneInput(nothing, 0);
	for (int i = 1; i < argc; i++)
		printf("%s: %u inputs\n", argv[i], replay_folder(argv[i]));
	return 0;
}
