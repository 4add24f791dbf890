-- The broker's file, format 1. Times are microseconds since the Unix epoch.

-- Random name of this file, part of every message id, so that ids of two files never meet.
CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL
) STRICT;

CREATE TABLE topics (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- created_after: the newest message older than the subscription; none up to it belongs to it.
-- The counters and the rows in deliveries obey published = acked + dead_lettered + rows.
CREATE TABLE subscriptions (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    topic INTEGER NOT NULL REFERENCES topics (id),
    ordered INTEGER NOT NULL,
    created_after INTEGER NOT NULL,
    published INTEGER NOT NULL DEFAULT 0,
    acked INTEGER NOT NULL DEFAULT 0,
    dead_lettered INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX subscriptions_of_topic ON subscriptions (topic);

-- AUTOINCREMENT: a number is never used twice, also after its message was removed.
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    topic INTEGER NOT NULL REFERENCES topics (id),
    published_at INTEGER NOT NULL,
    ordering_key TEXT,
    attributes TEXT NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE INDEX messages_by_time ON messages (topic, published_at);

-- What is not settled; acknowledging removes the row, so that this table stays small.
-- visible_at: not to be delivered before (a delay, the end of a lease); the largest integer where
-- an earlier message of the key is not settled yet. ordering_key: only where the subscription
-- orders. lease: who holds it; an acknowledgement must name it.
CREATE TABLE deliveries (
    subscription INTEGER NOT NULL REFERENCES subscriptions (id),
    seq INTEGER NOT NULL REFERENCES messages (seq),
    visible_at INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    lease INTEGER,
    ordering_key TEXT,
    PRIMARY KEY (subscription, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_by_time ON deliveries (subscription, visible_at, seq);
CREATE INDEX deliveries_by_key ON deliveries (subscription, ordering_key, seq) WHERE ordering_key IS NOT NULL;

-- Messages the policy moved away, while they are kept: a seek must count them back.
CREATE TABLE dead_lettered (
    subscription INTEGER NOT NULL REFERENCES subscriptions (id),
    seq INTEGER NOT NULL,
    PRIMARY KEY (subscription, seq)
) STRICT, WITHOUT ROWID;
