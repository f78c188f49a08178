-- Four PoPs, one of each kind a page has to show: up, down, disabled, and one that never reported
-- and whose texts are hostile.
INSERT INTO broker.pop (name, ipv4, ipv6, city, country, isp_short, isp_name, isp_website, enabled) VALUES
	('nlams01', '192.0.2.1', '2001:db8:100::1', 'Amsterdam', 'The Netherlands', 'Example', 'Example Networks', 'https://example.net/', true),
	('uschi02', '198.51.100.7', '2001:db8:200::1', 'Chicago', 'United States', 'Lakeside', 'Lakeside Transit & Peering', 'https://example.com/peering?a=1&b=2', true),
	('dedus01', '203.0.113.99', '2001:db8:300:4000:8000:abcd:1234:5678', 'Düsseldorf', 'Germany', '', '', '', true),
	('evil66', '203.0.113.66', '2001:db8:666::1', '</td><script>alert("x")</script>', 'A & B''s "land"', '', '<img src=x onerror=alert(1)>',
		'https://example.org/''onclick=''alert(1)', true);

-- No popd reports here: what has reported within the hour is up.
UPDATE broker.setting SET value = 3600 WHERE name = 'pop_silence_seconds';
INSERT INTO broker.pop_report (pop, at, incarnation, version, started, configured, up, active, feed_seq)
SELECT p.id, now() - r.ago, repeat('0', 32), '0.1.0', now() - interval '40 days', r.configured, r.up, r.active, 1
FROM (VALUES ('nlams01', interval '4 seconds', 812, 655, 401), ('uschi02', interval '3 hours', 10240, 0, 0)) r (pop, ago, configured, up, active)
JOIN broker.pop p ON p.name = r.pop;

DELETE FROM broker.pop_history;
INSERT INTO broker.pop_history (pop, state, since)
SELECT p.id, h.state::broker.pop_state, now() - h.ago
FROM (VALUES
	(1, 'nlams01', 'down', interval '40 days'), (2, 'nlams01', 'up', interval '39 days 20 hours'), (3, 'nlams01', 'down', interval '12 days 40 seconds'),
	(4, 'nlams01', 'up', interval '12 days'), (5, 'uschi02', 'up', interval '30 days'), (6, 'dedus01', 'up', interval '9 days'),
	(7, 'dedus01', 'disabled', interval '2 days 4 hours'), (8, 'evil66', 'down', interval '5 minutes')) h (n, pop, state, ago)
JOIN broker.pop p ON p.name = h.pop ORDER BY h.n;

-- After its history, for the switch writes a line of its own.
ALTER TABLE broker.pop DISABLE TRIGGER pop_switched;
UPDATE broker.pop SET enabled = false WHERE name = 'dedus01';
ALTER TABLE broker.pop ENABLE TRIGGER pop_switched;
