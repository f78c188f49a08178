-- Names of the field, before the first release: traffic is counted in bytes, a limit is a maximum.

ALTER TABLE broker.tunnel_day RENAME octets_in TO bytes_in;
ALTER TABLE broker.tunnel_day RENAME octets_out TO bytes_out;
ALTER TABLE broker.tunnel_sample RENAME octets_in TO bytes_in;
ALTER TABLE broker.tunnel_sample RENAME octets_out TO bytes_out;
ALTER TABLE broker.pop_day RENAME octets_in TO bytes_in;
ALTER TABLE broker.pop_day RENAME octets_out TO bytes_out;
ALTER TABLE broker.pop_sample RENAME octets_in TO bytes_in;
ALTER TABLE broker.pop_sample RENAME octets_out TO bytes_out;
ALTER TYPE broker.measured RENAME ATTRIBUTE octets_in TO bytes_in;
ALTER TYPE broker.measured RENAME ATTRIBUTE octets_out TO bytes_out;
ALTER FUNCTION broker.mtu_most(broker.tunnel_type) RENAME TO mtu_max;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA broker FROM PUBLIC;
