/*
 * Why no record is lost: a snapshot begins by renaming the journal to .old; then the table is
 * encoded, which holds everything in .old. Later records go to a new journal. The .old file is
 * removed once the snapshot has its name on disk. If writing it fails, .old stays. Loading applies
 * the snapshot, .old and the journal in this order, and an older record never replaces a newer one
 * (table_restore).
 */
#include "popd/feed/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "popd/feed/file.h"

enum { PENDING_MAX = 1024 };

/* What was last noted of a slot's tunnel. */
struct noted {
	uint64_t endpoint;
	uint32_t newest, tunnel;
};

/* A snapshot that is being written: the writer thread's alone until `done`. */
struct writing {
	uint8_t *data;
	size_t len;
	mono_s_t now;
	const char *path, *temporary, *directory;
	const char *failed_at; /* the step; NULL: none */
	int failed_errno;
	_Atomic bool done;
};

struct store {
	char *path, *temporary, *directory, *journal, *old_journal;
	char pop[SNAPSHOT_NAME + 1];
	struct table *table;
	struct noted *slots;
	size_t slot_count;
	int fd;                                        /* of the journal; -1: not open */
	uint8_t pending[PENDING_MAX * JOURNAL_RECORD]; /* noted, not yet appended */
	size_t pending_count;
	bool behind;
	bool append_failed; /* the last time; logged once */
	bool writing_now;
	pthread_t thread;
	struct writing writing;
	mono_s_t written;
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
	snprintf(s->pop, sizeof(s->pop), "%s", pop);
	s->slot_count = table_slots(t);
	s->slots = pages_alloc(s->slot_count, sizeof(*s->slots));
	if (s->path && s->temporary && s->directory && s->journal && s->old_journal && s->slots)
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
	pages_free(s->slots, s->slot_count, sizeof(*s->slots));
	free(s->path);
	free(s->temporary);
	free(s->directory);
	free(s->journal);
	free(s->old_journal);
	free(s);
}

/* ---- reading ---- */

/* Why file_read failed. */
static const char *failure_text(int err)
{
	return err == -ERR_SYS ? strerror(errno) : err_text(err);
}

/* Renames a file to <path>.bad. true: it is there, or there was none. */
static bool keep_aside(const char *path)
{
	char *bad = join(path, ".bad");
	bool kept = bad && (rename(path, bad) == 0 || errno == ENOENT);

	if (!kept)
		log_warn("%s cannot be renamed to %s", path, bad ? bad : "another name");
	free(bad);
	return kept;
}

/* A snapshot that cannot be used is kept aside, with the journals, which are useless without it and
 * must not be applied to a later one. */
static void keep_snapshot_aside(const struct store *s, const char *why)
{
	bool kept = keep_aside(s->path);

	kept = keep_aside(s->journal) && kept;
	kept = keep_aside(s->old_journal) && kept;
	log_warnx("the snapshot %s cannot be used: %s; %s, and tunnels come from the database",
		  s->path, why,
		  kept ? "it and its endpoint journals are kept aside, with .bad behind their names"
		       : "it stays where it is");
}

/* Applies a journal, cuts off its damaged end if it has one, and returns the number of records. */
static size_t apply_journal(const struct store *s, const char *path, struct moment now)
{
	uint8_t *data;
	size_t len;
	int err = file_read(path, &data, &len);

	if (err == -ERR_NOT_FOUND)
		return 0;
	if (err) {
		log_warnx("the endpoint journal %s cannot be read: %s; %s", path, failure_text(err),
			  keep_aside(path) ? "it is kept aside, with .bad behind its name"
					   : "it stays where it is");
		return 0;
	}
	size_t good = journal_apply(s->table, data, len, now);
	file_free(data, len);
	if (good < len) {
		log_warnx(
			"the endpoint journal %s is damaged after %zu of %zu bytes; the rest is cut off",
			path, good, len);
		if (truncate(path, (off_t)good) != 0)
			log_warn("the end of the endpoint journal %s cannot be cut off", path);
	}
	return good / JOURNAL_RECORD;
}

static bool load_snapshot(struct store *s, struct digest_ctx *digest, struct moment now,
			  struct snapshot_head *head)
{
	uint8_t *data;
	size_t len;
	int err = file_read(s->path, &data, &len);

	if (err == -ERR_NOT_FOUND) {
		log_info("there is no snapshot %s yet; tunnels come from the database", s->path);
		/* A journal is useless without its snapshot and must not be applied to a later one.
		 */
		(void)unlink(s->old_journal);
		(void)unlink(s->journal);
		return false;
	}
	if (err) {
		keep_snapshot_aside(s, failure_text(err));
		return false;
	}
	err = snapshot_decode(s->table, digest, data, len, now, head);
	file_free(data, len);
	if (err) {
		keep_snapshot_aside(s, err_text(err));
		return false;
	}
	if (strcmp(head->pop, s->pop) != 0) {
		snapshot_empty(s->table);
		keep_snapshot_aside(s, "it belongs to another PoP");
		return false;
	}
	s->written = moment_mono(now, head->written);
	s->size = len;
	return true;
}

bool store_load(struct store *s, struct digest_ctx *digest, struct moment now,
		struct snapshot_head *head)
{
	if (!load_snapshot(s, digest, now, head))
		return false;
	size_t records = apply_journal(s, s->old_journal, now) + apply_journal(s, s->journal, now);
	log_info("%zu tunnels read from the snapshot %s, and %zu records from its journal",
		 table_count(s->table), s->path, records);
	return true;
}

/* ---- the journal ---- */

static void note_slot(struct store *s, const struct tunnel *t, const struct tunnel_conf *c,
		      struct moment now)
{
	struct journal_entry e = { .tunnel = c->id, .memory = tunnel_memory(t) };

	e.heard = moment_wall(now, e.memory.heard);

	if (s->pending_count == PENDING_MAX)
		store_append(s);
	journal_encode(&e, s->pending + s->pending_count++ * JOURNAL_RECORD);
	s->slots[t->slot] = (struct noted){ e.memory.endpoint, e.memory.newest, e.tunnel };
	s->behind = true;
}

void store_note(struct store *s, const struct tunnel *t, struct moment now)
{
	const struct tunnel_conf *c = atomic_load_explicit(&t->conf, memory_order_relaxed);

	if (c)
		note_slot(s, t, c, now);
}

void store_note_changed(struct store *s, struct moment now)
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
		const struct noted *n = &s->slots[i];
		if (c->type != TUNNEL_STATIC && endpoint != 0 &&
		    !(n->tunnel == c->id && n->endpoint == endpoint && n->newest == newest))
			note_slot(s, t, c, now);
	}
}

/* Cuts off what a failed write left, so that the next record begins where it must. */
static bool append(struct store *s)
{
	if (s->fd < 0)
		s->fd = open(s->journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
			     0600);
	if (s->fd < 0)
		return false;
	off_t before = lseek(s->fd, 0, SEEK_END);
	if (file_write(s->fd, s->pending, s->pending_count * JOURNAL_RECORD))
		return true;
	int saved = errno;
	if (before >= 0 && ftruncate(s->fd, before) != 0)
		log_warn("the end of the endpoint journal %s cannot be cut off", s->journal);
	errno = saved;
	return false;
}

void store_append(struct store *s)
{
	if (s->pending_count == 0)
		return;
	bool failed = !append(s);
	if (failed && !s->append_failed)
		log_warn(
			"the endpoint journal %s cannot be written; the next snapshot will hold the endpoints",
			s->journal);
	s->append_failed = failed;
	s->pending_count = 0;
}

/* ---- writing a snapshot ---- */

static void *writer_main(void *arg)
{
	struct writing *w = arg;

	w->failed_at = file_replace(
		&(struct file_replacement){ w->path, w->temporary, w->directory, w->data, w->len });
	w->failed_errno = w->failed_at ? errno : 0;
	snapshot_free(w->data, w->len);
	w->data = NULL;
	atomic_store_explicit(&w->done, true, memory_order_release);
	return NULL;
}

/* Waits for the writer and takes its result. */
static void conclude(struct store *s)
{
	struct writing *w = &s->writing;

	pthread_join(s->thread, NULL);
	s->writing_now = false;
	if (w->failed_at) {
		errno = w->failed_errno;
		log_warn("the snapshot %s could not be written (%s); it is tried again in a minute",
			 s->path, w->failed_at);
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
	conclude(s);
	return false;
}

void store_finish_snapshot(struct store *s)
{
	if (s->writing_now)
		conclude(s);
}

/* Renames the journal to .old, unless there is one: after a failed snapshot it is needed until one
 * succeeds. */
static void rotate_journal(struct store *s)
{
	store_append(s);
	if (access(s->old_journal, F_OK) == 0)
		return;
	if (rename(s->journal, s->old_journal) != 0) {
		if (errno != ENOENT)
			log_warn("the endpoint journal %s cannot be renamed to %s", s->journal,
				 s->old_journal);
		return;
	}
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

bool store_begin_snapshot(struct store *s, uint64_t feed_seq, struct moment now)
{
	struct snapshot_head head = { .feed_seq = feed_seq, .written = now.wall };
	uint8_t *data;
	size_t len;

	if (store_is_writing(s))
		return false;
	rotate_journal(s);
	snprintf(head.pop, sizeof(head.pop), "%s", s->pop);
	if (snapshot_encode(s->table, &head, now, &data, &len) != 0) {
		log_warnx("no memory for a snapshot; it is tried again");
		return false;
	}
	s->writing = (struct writing){ .data = data,
				       .len = len,
				       .now = now.mono,
				       .path = s->path,
				       .temporary = s->temporary,
				       .directory = s->directory };
	errno = pthread_create(&s->thread, NULL, writer_main, &s->writing);
	if (errno != 0) {
		log_warn("no thread to write the snapshot; it is tried again");
		snapshot_free(data, len);
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

mono_s_t store_written(const struct store *s)
{
	return s->written;
}

uint64_t store_size(const struct store *s)
{
	return s->size;
}
