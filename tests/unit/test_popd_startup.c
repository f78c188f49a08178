#include "popd/daemon/startup.h"

#include "tests/unit/test_popd_fixture.h"

static void another_owner_of_protocol_41_is_found_by_its_whole_name(void **state)
{
	static const struct {
		const char *modules, *owner;
	} rows[] = {
		{ "", NULL },
		{ "sit 49152 0 - Live 0x0000000000000000\n", "sit" },
		{ "veth 45056 0 - Live 0x0\nip_tunnel 36864 1 sit, Live 0x0\nsit 49152 0 - Live 0x0\n",
		  "sit" },
		{ "ipip 20480 0 - Live 0x0\ntunnel4 16384 1 ipip, Live 0x0\n", "tunnel4" },
		{ "ip_tunnel 36864 1 sit, Live 0x0\n", NULL }, /* as a word of another line only */
		{ "sitecopy 1 0 - Live 0x0\ntransit 1 0 - Live 0x0\ntunnel4x 1 0 - Live 0x0\n",
		  NULL },
		{ "sit", "sit" },
		{ "\n\nsit 1\n", "sit" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *owner = startup_find_proto41_owner(rows[i].modules);
		assert_string_equal(owner ? owner : "none", rows[i].owner ? rows[i].owner : "none");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_owner_of_protocol_41_is_found_by_its_whole_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
