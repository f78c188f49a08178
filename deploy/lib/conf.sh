# Sourced by run.sh: the daemons' configuration, written at each start, and ticd's certificate.

write_popd_conf() {
	for_user popd "$VAR/popd.conf" 0640 <<-END
		# Written by deploy/run.sh at each start. "popd -c FILE --dump-config" shows every key.
		[popd]
		name = $POP
		ipv4 = $POP_IPV4
		tun = $TUN
		snapshot = $VAR/popd/snapshot
		control = $CONTROL

		[database]
		conninfo = $(conninfo_of "$(pop_role)")
	END
}

write_ticd_conf() {
	for_user ticd "$VAR/ticd.conf" 0640 <<-END
		# Written by deploy/run.sh at each start. "ticd -c FILE --dump-config" shows every key.
		[ticd]
		listen = $TIC
		url = $URL
		service = $POP tunnel broker

		[database]
		conninfo = $(conninfo_of ticd)

		[tls]
		certificate = $VAR/tic.pem
		key = $VAR/tic.pem
	END
}

write_webd_conf() {
	for_user webd "$VAR/webd.conf" 0640 <<-END
		# Written by deploy/run.sh at each start. "webd -c FILE --dump-config" shows every key.
		[webd]
		listen = $HTTP
		url = $URL

		[database]
		conninfo = $(conninfo_of webd)
	END
}

# Self-signed: enough for STARTTLS, since AICCU verifies no certificate. Key and certificate in one file, kept until its last day.
make_certificate() {
	local key certificate
	if openssl x509 -in "$VAR/tic.pem" -noout -checkend 86400 >/dev/null 2>&1; then
		chown "root:$(group_of ticd)" "$VAR/tic.pem"
		return
	fi
	key=$(openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null) || fail "openssl could not make a key for ticd."
	certificate=$(openssl req -new -x509 -key /dev/stdin -days 3650 -subj "/CN=$POP" -addext "subjectAltName=IP:$POP_IPV4" <<<"$key" 2>/dev/null) ||
		fail "openssl could not make a certificate for ticd."
	printf '%s\n%s\n' "$key" "$certificate" | for_user ticd "$VAR/tic.pem" 0640
}
