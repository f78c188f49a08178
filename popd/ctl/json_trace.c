#include "popd/ctl/json_trace.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "popd/ctl/client.h"
#include "popd/ctl/json_packet.h"
#include "popd/ctl/stream.h"

/* For a line of text the headers are enough. */
enum { SNAP_HEADERS = 256, SNAP_ALL = 2048 };

static enum packet_form form_of(const struct popctl_request *r)
{
	if (r->pcap)
		return r->outer ? FORM_OUTER : FORM_INNER;
	return r->json ? FORM_JSON : FORM_TEXT;
}

static char *request_text(const struct popctl_request *r, enum packet_form form)
{
	json_t *list = json_array(), *o = json_pack("{s:s}", "command", r->command);

	for (size_t i = 0; i < r->n; i++)
		(void)json_array_append_new(list, json_string(r->arguments[i]));
	(void)json_object_set_new(o, "what", list);
	(void)json_object_set_new(o, "all", json_boolean(r->all));
	(void)json_object_set_new(o, "snap",
				  json_integer(form == FORM_TEXT ? SNAP_HEADERS : SNAP_ALL));
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

/* What has arrived is shown before it is waited for more. 0 or 1. */
static int follow(struct stream *stream, struct packet_show *show, FILE *err)
{
	char why[STREAM_WHY], *line = stream_line(stream, why);

	if (line && packet_show_begin(show, line, err) != 0)
		return 1;
	while (line && !packet_show_is_done(show)) {
		if (!stream_has_line(stream) && fflush(show->out) != 0)
			break;
		line = stream_line(stream, why);
		if (line && packet_show_line(show, line, err) != 0) {
			fprintf(err, "popctl: popd sent a line that makes no sense\n");
			return 1;
		}
	}
	if (fflush(show->out) != 0) {
		fprintf(err, "popctl: the packets cannot be written: %s\n", strerror(errno));
		return 1;
	}
	if (!line && why[0])
		fprintf(err, "popctl: %s\n", why);
	return !line && why[0] ? 1 : 0;
}

static int ask_and_follow(int fd, const struct popctl_request *r, struct packet_show *show,
			  FILE *err)
{
	char why[CLIENT_WHY], *request = request_text(r, show->form);
	struct stream *stream = request ? stream_open(fd) : NULL;
	int status = 1;

	if (!stream)
		fprintf(err, "popctl: no memory\n");
	else if (client_send(fd, request, why) != 0)
		fprintf(err, "popctl: %s\n", why);
	else
		status = follow(stream, show, err);
	stream_close(stream);
	free(request);
	return status;
}

int popctl_trace(int fd, const struct popctl_request *r, FILE *out, FILE *err)
{
	bool to_file = r->pcap && strcmp(r->pcap, "-") != 0;
	FILE *file = to_file ? fopen(r->pcap, "wbe") : out;
	struct packet_show show = { .out = file, .form = form_of(r), .most = r->count };

	if (!file) {
		fprintf(err, "popctl: %s cannot be written: %s\n", r->pcap, strerror(errno));
		return 1;
	}
	int status = ask_and_follow(fd, r, &show, err);
	if (to_file && fclose(file) != 0) {
		fprintf(err, "popctl: %s cannot be written: %s\n", r->pcap, strerror(errno));
		status = 1;
	}
	return status;
}
