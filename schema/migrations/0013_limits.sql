-- How often something may be done, where a price is no limit: what a user changes at a tunnel reaches
-- its PoP each time, and a client that is started again and again asks for its tunnel each time.

INSERT INTO broker.setting (name, value, about) VALUES
	('endpoint_moves_per_hour', 10, 'how often an hour a user may move a tunnel''s endpoint; 0: no limit'),
	('state_switches_per_hour', 30, 'how often an hour a user may switch a tunnel on or off; 0: no limit'),
	('login_tunnel_burst', 20,
		'logins that a login name and tunnel have at once for showing the tunnel; 0: no limit'),
	('login_tunnel_per_hour', 5, 'how many of those come back an hour; 0: no limit'),
	('login_name_burst', 100,
		'logins that a login name has at once for what shows no tunnel; 0: no limit'),
	('login_name_per_hour', 25, 'how many of those come back an hour; 0: no limit');

-- What a user did to a tunnel within the last hour of doing it: at most as many times as the setting
-- allows, oldest first. Written under the account's lock.
CREATE TABLE broker.tunnel_action (
	tunnel int NOT NULL REFERENCES broker.tunnel ON DELETE CASCADE,
	action text NOT NULL CHECK (action IN ('endpoint_move', 'state_switch')),
	times  timestamptz[] NOT NULL CHECK (array_position(times, NULL) IS NULL),
	PRIMARY KEY (tunnel, action)
);

-- A bucket of logins: `login_tunnel` is 12 for the name HANDLE/T12 and 0 for HANDLE; `tunnel` is the
-- one that is shown, 0 for logins that show none. It is as empty as `full_at` is in the future, so a
-- bucket whose time is past is full and its row may go.
CREATE TABLE broker.login_bucket (
	account      int NOT NULL REFERENCES broker.account ON DELETE CASCADE,
	login_tunnel int NOT NULL CHECK (login_tunnel >= 0),
	tunnel       int NOT NULL CHECK (tunnel >= 0),
	full_at      timestamptz NOT NULL,
	PRIMARY KEY (account, login_tunnel, tunnel)
);
CREATE INDEX ON broker.login_bucket (full_at);

-- The tunnels that a login has shown.
ALTER TABLE broker.login ADD COLUMN shown int[] NOT NULL DEFAULT '{}';
