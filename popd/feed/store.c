/*
 * Why no record is lost: a snapshot begins by moving the journal aside (to .old), then encodes the
 * table, which holds all that the moved journal says; what happens from then on goes to a fresh
 * journal. Only when the snapshot has its name on disk is .old removed. When it fails, .old stays,
 * and loading applies snapshot, .old and journal in that order: older records never replace newer
 * ones (table_restore).
 */
#include "popd/feed/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/log.h"

enum { STORE_LARGEST = 1 << 30, STORE_PENDING = 1024 };

/* What the disk knows of a slot's tunnel. */
struct on_disk {
	uint64_t endpoint;
	uint32_t newest, tunnel;
};

/* One snapshot on its way to the disk: the writer thread's alone until `done`. */
struct writing {
	uint8_t *data;
	size_t len;
	uint32_t now;
	const char *path, *temporary, *directory;
	int failed_errno;
	const char *failed_at;
	_Atomic bool done;
};

struct store {
	char *path, *temporary, *directory, *journal, *old_journal, *bad;
	char pop[SNAPSHOT_NAME + 1];
	struct table *table;
	struct on_disk *slots; /* mapped, touched when used */
	size_t slot_count;
	int fd; /* of the journal; -1: not open */
	uint8_t pending[STORE_PENDING * JOURNAL_RECORD];
	size_t pending_count;
	bool behind, quoted;
	bool writing_now;
	pthread_t thread;
	struct writing writing;
	uint32_t written;
	uint64_t size;
};

static char *join(const char *path, const char *suffix)
{
	char *out;

	return asprintf(&out, "%s%s", path, suffix) < 0 ? NULL : out;
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

struct store *store_create(const char *path, const char *pop, struct table *t)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = -1;
	s->table = t;
	s->path = strdup(path);
	s->temporary = join(path, ".tmp");
	s->directory = directory_of(path);
	s->journal = join(path, ".journal");
	s->old_journal = join(path, ".journal.old");
	s->bad = join(path, ".bad");
	snprintf(s->pop, sizeof(s->pop), "%s", pop);
	s->slot_count = table_slots(t);
	s->slots = mmap(NULL, s->slot_count * sizeof(*s->slots), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->slots == MAP_FAILED)
		s->slots = NULL;
	if (s->path && s->temporary && s->directory && s->journal && s->old_journal && s->bad &&
	    s->slots)
		return s;
	store_free(s);
	return NULL;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	store_finish_snapshot(s);
	if (s->fd >= 0)
		close(s->fd);
	if (s->slots)
		munmap(s->slots, s->slot_count * sizeof(*s->slots));
	free(s->path);
	free(s->temporary);
	free(s->directory);
	free(s->journal);
	free(s->old_journal);
	free(s->bad);
	free(s);
}

/* ---- reading ---- */

/* A whole file, malloc'ed. 0, -ERR_NOT_FOUND, -ERR_SYS, -ERR_RANGE (too large) or -ERR_NOMEM. */
static int read_file(const char *path, uint8_t **out, size_t *len)
{
	struct stat st;
	int err = -ERR_SYS;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*out = NULL;
	*len = 0;
	if (fd < 0)
		return errno == ENOENT ? -ERR_NOT_FOUND : -ERR_SYS;
	if (fstat(fd, &st) != 0)
		goto out;
	err = -ERR_RANGE;
	if (st.st_size < 0 || st.st_size > STORE_LARGEST)
		goto out;
	err = -ERR_NOMEM;
	uint8_t *data = malloc((size_t)st.st_size + 1);
	if (!data)
		goto out;
	ssize_t got;
	while ((got = read(fd, data + *len, (size_t)st.st_size - *len)) > 0)
		*len += (size_t)got;
	err = got < 0 ? -ERR_SYS : 0;
	if (err)
		free(data);
	else
		*out = data;
out:
	close(fd);
	return err;
}

static void wipe(uint8_t *data, size_t len)
{
	if (data)
		secure_zero(data, len);
	free(data);
}

static void empty_table(struct table *t)
{
	static const struct pop_conf nobody;
	size_t slots = table_slots(t);

	for (size_t i = 0; i < slots && table_count(t) > 0; i++) {
		const struct tunnel_conf *c = atomic_load_explicit(&table_slot(t, i)->conf,
								   memory_order_relaxed);
		if (c)
			(void)table_delete(t, c->id);
	}
	table_set_pop(t, &nobody);
	table_reclaim(t);
}

static void set_aside(const struct store *s, const char *why)
{
	if (rename(s->path, s->bad) == 0)
		log_warnx("the snapshot %s is of no use (%s); it is kept as %s", s->path, why,
			  s->bad);
	else
		log_warn("the snapshot %s is of no use (%s) and cannot be set aside", s->path, why);
}

static size_t apply_journal(const struct store *s, const char *path)
{
	uint8_t *data;
	size_t len;
	int err = read_file(path, &data, &len);

	if (err == -ERR_NOT_FOUND)
		return 0;
	if (err) {
		log_warnx("the endpoint journal %s cannot be read: %s", path, err_text(err));
		return 0;
	}
	size_t good = journal_apply(s->table, data, len);
	free(data);
	if (good < len) {
		log_warnx(
			"the endpoint journal %s is damaged after %zu of %zu bytes; the rest is ignored",
			path, good, len);
		if (truncate(path, (off_t)good) !=
		    0) /* what is appended must begin where a record can */
			log_warn("the endpoint journal %s cannot be repaired", path);
	}
	return good / JOURNAL_RECORD;
}

static bool load_snapshot(struct store *s, struct digest_ctx *digest, struct snapshot_head *head)
{
	uint8_t *data;
	size_t len;
	int err = read_file(s->path, &data, &len);

	if (err == -ERR_NOT_FOUND) {
		log_info("there is no snapshot %s yet: tunnels come from the database", s->path);
		return false;
	}
	if (err) {
		log_warnx("the snapshot %s cannot be read: %s", s->path, err_text(err));
		return false;
	}
	err = snapshot_decode(s->table, digest, data, len, head);
	wipe(data, len);
	if (err) {
		set_aside(s, err_text(err));
		return false;
	}
	if (strcmp(head->pop, s->pop) != 0) {
		empty_table(s->table);
		set_aside(s, "it is another PoP's");
		return false;
	}
	s->written = head->written;
	s->size = len;
	return true;
}

bool store_load(struct store *s, struct digest_ctx *digest, struct snapshot_head *head)
{
	if (!load_snapshot(s, digest, head)) {
		/* A journal says nothing without its snapshot, and must not be taken for a later
		 * one's. */
		(void)unlink(s->old_journal);
		(void)unlink(s->journal);
		return false;
	}
	size_t moves = apply_journal(s, s->old_journal) + apply_journal(s, s->journal);
	log_info("%zu tunnels from the snapshot %s, and %zu journal records", table_count(s->table),
		 s->path, moves);
	return true;
}

/* ---- the journal ---- */

static void note_slot(struct store *s, const struct tunnel *t, const struct tunnel_conf *c)
{
	struct journal_entry e = {
		.tunnel = c->id,
		.endpoint = atomic_load_explicit(&t->endpoint, memory_order_relaxed),
		.newest = atomic_load_explicit(&t->newest, memory_order_relaxed),
		.heard = atomic_load_explicit(&t->heard, memory_order_relaxed),
	};

	if (s->pending_count == STORE_PENDING)
		store_append(s);
	journal_encode(&e, s->pending + s->pending_count++ * JOURNAL_RECORD);
	s->slots[t->slot] = (struct on_disk){ e.endpoint, e.newest, e.tunnel };
	s->behind = true;
}

void store_note(struct store *s, const struct tunnel *t)
{
	const struct tunnel_conf *c = atomic_load_explicit(&t->conf, memory_order_relaxed);

	if (c)
		note_slot(s, t, c);
}

void store_note_changed(struct store *s)
{
	size_t left = table_count(s->table);

	for (size_t i = 0; i < s->slot_count && left > 0; i++) {
		const struct tunnel *t = table_slot(s->table, i);
		const struct tunnel_conf *c = atomic_load_explicit(&t->conf, memory_order_relaxed);
		if (!c)
			continue;
		left--;
		uint64_t endpoint = atomic_load_explicit(&t->endpoint, memory_order_relaxed);
		uint32_t newest = atomic_load_explicit(&t->newest, memory_order_relaxed);
		const struct on_disk *d = &s->slots[i];
		bool same_tunnel = d->tunnel == c->id;
		if (c->type != TUNNEL_STATIC && endpoint != 0 &&
		    !(same_tunnel && d->endpoint == endpoint && d->newest == newest))
			note_slot(s, t, c);
	}
}

static bool write_all(int fd, const uint8_t *data, size_t len)
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

/* A record written in part (disk full) is cut off again, so that later ones are not read askew. */
static bool append(struct store *s)
{
	if (s->fd < 0)
		s->fd = open(s->journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
			     0600);
	if (s->fd < 0)
		return false;
	off_t before = lseek(s->fd, 0, SEEK_END);
	if (write_all(s->fd, s->pending, s->pending_count * JOURNAL_RECORD))
		return true;
	int saved = errno;
	if (before >= 0 && ftruncate(s->fd, before) != 0)
		log_warn("the endpoint journal %s cannot be repaired", s->journal);
	errno = saved;
	return false;
}

void store_append(struct store *s)
{
	if (s->pending_count == 0)
		return;
	bool good = append(s);
	if (!good && !s->quoted)
		log_warn("the endpoint journal %s cannot be written", s->journal);
	s->quoted = !good;
	s->pending_count = 0;
}

/* ---- writing a snapshot ---- */

static bool sync_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return false;
	bool good = fsync(fd) == 0;
	close(fd);
	return good;
}

static const char *write_file(const struct writing *w)
{
	int fd = open(w->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return "open";
	if (!write_all(fd, w->data, w->len)) {
		close(fd);
		return "write";
	}
	if (fsync(fd) != 0) {
		close(fd);
		return "fsync";
	}
	if (close(fd) != 0)
		return "close";
	if (rename(w->temporary, w->path) != 0)
		return "rename";
	return sync_directory(w->directory) ? NULL : "fsync of the directory";
}

static void *writer_main(void *arg)
{
	struct writing *w = arg;

	w->failed_at = write_file(w);
	w->failed_errno = w->failed_at ? errno : 0;
	wipe(w->data, w->len);
	w->data = NULL;
	atomic_store_explicit(&w->done, true, memory_order_release);
	return NULL;
}

/* Takes the result of the writer, which has ended. */
static void conclude(struct store *s)
{
	struct writing *w = &s->writing;

	s->writing_now = false;
	if (w->failed_at) {
		errno = w->failed_errno;
		log_warn("the snapshot %s could not be written (%s)", s->path, w->failed_at);
		s->behind = true;
		return;
	}
	s->written = w->now;
	s->size = w->len;
	if (unlink(s->old_journal) != 0 && errno != ENOENT)
		log_warn("the old endpoint journal %s cannot be removed", s->old_journal);
}

bool store_is_writing(struct store *s)
{
	if (!s->writing_now)
		return false;
	if (!atomic_load_explicit(&s->writing.done, memory_order_acquire))
		return true;
	pthread_join(s->thread, NULL);
	conclude(s);
	return false;
}

void store_finish_snapshot(struct store *s)
{
	if (!s->writing_now)
		return;
	pthread_join(s->thread, NULL);
	conclude(s);
}

/* Not when an old one is still there, from a snapshot that failed: it is needed until a snapshot
 * has succeeded. */
static void rotate_journal(struct store *s)
{
	store_append(s);
	if (access(s->old_journal, F_OK) == 0)
		return;
	if (rename(s->journal, s->old_journal) != 0) {
		if (errno != ENOENT)
			log_warn("the endpoint journal %s cannot be moved aside", s->journal);
		return;
	}
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

bool store_begin_snapshot(struct store *s, uint64_t feed_seq, uint32_t now)
{
	struct snapshot_head head = { .feed_seq = feed_seq, .written = now };
	uint8_t *data;
	size_t len;

	if (store_is_writing(s))
		return false;
	rotate_journal(s);
	snprintf(head.pop, sizeof(head.pop), "%s", s->pop);
	if (snapshot_encode(s->table, &head, &data, &len) != 0) {
		log_warnx("no memory for a snapshot");
		return false;
	}
	s->writing = (struct writing){ .data = data,
				       .len = len,
				       .now = now,
				       .path = s->path,
				       .temporary = s->temporary,
				       .directory = s->directory };
	errno = pthread_create(&s->thread, NULL, writer_main, &s->writing);
	if (errno != 0) {
		log_warn("no thread to write the snapshot");
		wipe(data, len);
		return false;
	}
	s->writing_now = true;
	s->behind = false;
	return true;
}

bool store_is_behind(const struct store *s)
{
	return s->behind;
}

uint32_t store_written(const struct store *s)
{
	return s->written;
}

uint64_t store_size(const struct store *s)
{
	return s->size;
}
