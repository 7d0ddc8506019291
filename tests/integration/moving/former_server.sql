-- What a server of the sms-gate.app kind keeps, as far as a move reads it: tables and columns as they are publicly known.
CREATE TABLE users (
  id varchar(32) PRIMARY KEY, password_hash varchar(72) NOT NULL,
  created_at datetime(3) NOT NULL, updated_at datetime(3) NOT NULL, deleted_at datetime(3)
);
CREATE TABLE devices (
  id char(21) PRIMARY KEY, name varchar(128), auth_token char(21) NOT NULL UNIQUE, push_token varchar(256),
  user_id varchar(32) NOT NULL, created_at datetime(3) NOT NULL, updated_at datetime(3) NOT NULL, deleted_at datetime(3),
  last_seen datetime(3) NOT NULL, sim_cards json NOT NULL, FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE TABLE messages (
  id bigint unsigned AUTO_INCREMENT PRIMARY KEY, device_id char(21) NOT NULL, ext_id varchar(36) NOT NULL,
  state varchar(16) NOT NULL, valid_until datetime(3), sim_number tinyint unsigned, with_delivery_report tinyint NOT NULL,
  is_hashed tinyint NOT NULL, is_encrypted tinyint NOT NULL, priority tinyint NOT NULL, type varchar(8) NOT NULL,
  content text NOT NULL, schedule_at datetime, created_at datetime(3) NOT NULL, deleted_at datetime(3),
  FOREIGN KEY (device_id) REFERENCES devices (id)
);
CREATE TABLE message_recipients (
  id bigint unsigned AUTO_INCREMENT PRIMARY KEY, message_id bigint unsigned NOT NULL, phone_number varchar(128) NOT NULL,
  state varchar(16) NOT NULL, error varchar(256), FOREIGN KEY (message_id) REFERENCES messages (id)
);
CREATE TABLE message_states (
  id bigint unsigned AUTO_INCREMENT PRIMARY KEY, message_id bigint unsigned NOT NULL, state varchar(16) NOT NULL,
  updated_at datetime(3) NOT NULL, FOREIGN KEY (message_id) REFERENCES messages (id)
);
CREATE TABLE webhooks (
  id bigint unsigned AUTO_INCREMENT PRIMARY KEY, ext_id varchar(36) NOT NULL, user_id varchar(32) NOT NULL,
  device_id char(21), url varchar(256) NOT NULL, event varchar(32) NOT NULL, deleted_at datetime(3)
);
CREATE TABLE device_settings (user_id varchar(32) PRIMARY KEY, settings json NOT NULL);

INSERT INTO users VALUES
 ('ABCDEF', '$2b$04$HX3F.t3zI0pwpAG3XzB2p.SzHg7FSquI15QZ2FMLLn3G7fwzP92fa', '2026-01-01 00:00:00.000', '2026-01-01 00:00:00.000', NULL),
 ('SECOND', '$2b$04$99MVzlBsXbo1orYDtDpGreJTtpuiPmGEjJVVwwYNTdO3i73QTumqi', '2026-01-02 00:00:00.000', '2026-01-02 00:00:00.000', NULL),
 ('GONE', '$2b$04$99MVzlBsXbo1orYDtDpGreJTtpuiPmGEjJVVwwYNTdO3i73QTumqi', '2026-01-02 00:00:00.000', '2026-01-02 00:00:00.000', '2026-02-01 00:00:00.000'),
 ('ODD', 'md5:abc', '2026-01-02 00:00:00.000', '2026-01-02 00:00:00.000', NULL);
INSERT INTO devices VALUES
 ('PyDmBQZZXYmyxMwED8Fzy', 'Google/oriole', 'tokentokentokentoken1', NULL, 'ABCDEF', '2026-01-01 01:00:00.123',
  '2026-01-01 01:00:00.123', NULL, '2026-03-01 10:00:00.500',
  '[{"slotIndex":0,"simNumber":1,"phoneNumber":"********4567","carrierName":"Télé","iccid":"****************0001"},{"slotIndex":1,"simNumber":2}]'),
 ('_secondsecondsecond_2', 'Samsung/a52', 'tokentokentokentoken2', 'fcm', 'SECOND', '2026-01-02 01:00:00.000',
  '2026-01-02 01:00:00.000', NULL, '2026-03-01 10:00:00.000', '[]'),
 ('deleteddeleteddelete3', 'Old/phone', 'tokentokentokentoken3', NULL, 'ABCDEF', '2026-01-02 01:00:00.000',
  '2026-01-02 01:00:00.000', '2026-02-02 00:00:00.000', '2026-01-03 00:00:00.000', '[]');
INSERT INTO messages VALUES
 (1, 'PyDmBQZZXYmyxMwED8Fzy', 'delivered-1', 'Delivered', NULL, 1, 1, 0, 0, 0, 'Text',
  '{"text": "It\'s \\"quoted\\",\\nwith (brackets), a \\\\ and ✓"}', NULL, '2026-02-01 10:00:00.250', NULL),
 (2, 'PyDmBQZZXYmyxMwED8Fzy', 'two-2', 'Sent', NULL, NULL, 0, 0, 0, 100, 'Text', '{"text": "for two"}', NULL,
  '2026-02-01 11:00:00.000', NULL),
 (3, 'PyDmBQZZXYmyxMwED8Fzy', 'hashed-3', 'Failed', NULL, NULL, 1, 1, 0, 0, 'Text',
  '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', NULL, '2026-02-01 12:00:00.000', NULL),
 (4, '_secondsecondsecond_2', 'data-4', 'Processed', NULL, NULL, 1, 0, 0, 0, 'Data', '{"data": "AP8=", "port": 53739}', NULL,
  '2026-02-01 13:00:00.000', NULL),
 (5, '_secondsecondsecond_2', 'pending-5', 'Pending', NULL, 2, 1, 0, 0, 0, 'Text', '{"text": "still here"}', NULL,
  '2026-02-01 14:00:00.000', NULL),
 (6, '_secondsecondsecond_2', 'sealed-6', 'Cancelled', NULL, NULL, 1, 0, 1, 0, 'Text',
  '{"text": "$aes-256-cbc/pbkdf2-sha1$i=75000$c2FsdA==$dGV4dA=="}', NULL, '2026-02-01 15:00:00.000', NULL),
 (7, 'deleteddeleteddelete3', 'lost-7', 'Sent', NULL, NULL, 1, 0, 0, 0, 'Text', '{"text": "x"}', NULL, '2026-01-02 16:00:00.000', NULL);
INSERT INTO message_recipients (message_id, phone_number, state, error) VALUES
 (1, '+491701234567', 'Delivered', NULL), (2, '+491701234567', 'Delivered', NULL),
 (2, '+491701234568', 'Failed', 'RESULT_ERROR_NO_SERVICE: it''s off'), (3, '0123456789abcdef', 'Failed', 'GENERIC_FAILURE'),
 (4, '+491701234567', 'Processed', NULL), (5, '+491701234567', 'Pending', NULL),
 (6, '$aes-256-cbc/pbkdf2-sha1$i=75000$c2FsdA==$bnVtYmVy', 'Cancelled', NULL), (7, '+491701234567', 'Sent', NULL);
INSERT INTO message_states (message_id, state, updated_at) VALUES
 (1, 'Pending', '2026-02-01 10:00:00.250'), (1, 'Processed', '2026-02-01 10:00:01.000'), (1, 'Sent', '2026-02-01 10:00:02.000'),
 (1, 'Delivered', '2026-02-01 10:00:03.000'), (3, 'Failed', '2026-02-01 12:00:05.000'), (6, 'Cancelled', '2026-02-01 15:00:05.000');
INSERT INTO webhooks (ext_id, user_id, device_id, url, event, deleted_at) VALUES
 ('hook one', 'ABCDEF', NULL, 'https://customer.example/in?secret=a%20b', 'sms:received', NULL),
 ('hook-2', 'ABCDEF', 'PyDmBQZZXYmyxMwED8Fzy', 'https://customer.example/ping', 'app:started', NULL),
 ('hook-3', 'SECOND', NULL, 'https://10.0.0.1/lan', 'sms:sent', NULL),
 ('hook-4', 'SECOND', 'deleteddeleteddelete3', 'https://customer.example/x', 'sms:sent', NULL),
 ('hook-5', 'SECOND', NULL, 'https://customer.example/x', 'sms:sent', '2026-01-03 00:00:00.000');
INSERT INTO device_settings VALUES
 ('ABCDEF', '{"messages": {"limit_period": "PerDay", "limit_value": 100}, "webhooks": {"signing_key": "old-key", "retry_count": 5},
   "encryption": {"passphrase": "stays on the phone"}}');
