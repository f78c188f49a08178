#include "popd/daemon/startup.h"

#include "tests/unit/test_popd_fixture.h"

static void another_owner_of_protocol_41_is_found_by_its_whole_name_and_its_holders_are_named(
	void **state)
{
	static const struct {
		const char *modules, *sentence; /* NULL: there is none */
	} rows[] = {
		{ "", NULL },
		{ "sit 49152 0 - Live 0x0000000000000000\n", "the kernel module sit is loaded" },
		{ "veth 45056 0 - Live 0x0\nip_tunnel 36864 1 sit, Live 0x0\nsit 49152 0 - Live 0x0\n",
		  "the kernel module sit is loaded" },
		{ "ipip 20480 0 - Live 0x0\ntunnel4 16384 1 ipip, Live 0x0\n",
		  "the kernel module tunnel4 is loaded, held by ipip" },
		{ "sit 1 0 - Live 0x0\ntunnel4 16384 3 sit,xfrm_interface,xfrm4_tunnel, Live 0x0\n",
		  "the kernel modules sit and tunnel4 are loaded, held by sit,xfrm_interface,xfrm4_tunnel" },
		{ "tunnel4 16384 0 - Live 0x0\n", "the kernel module tunnel4 is loaded" },
		{ "ip_tunnel 36864 1 sit, Live 0x0\n", NULL }, /* as a word of another line only */
		{ "sitecopy 1 0 - Live 0x0\ntransit 1 0 - Live 0x0\ntunnel4x 1 0 - Live 0x0\n",
		  NULL },
		{ "sit", "the kernel module sit is loaded" },
		{ "\n\nsit 1\n", "the kernel module sit is loaded" },
		{ "tunnel4\nipip 1 2 three\n", "the kernel module tunnel4 is loaded" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char sentence[STARTUP_WHY] = "none";
		assert_int_equal(startup_describe_modules(rows[i].modules, sentence),
				 rows[i].sentence != NULL);
		assert_string_equal(sentence, rows[i].sentence ? rows[i].sentence : "none");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			another_owner_of_protocol_41_is_found_by_its_whole_name_and_its_holders_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
