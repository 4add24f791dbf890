package main

import (
	"time"
)

// What tests may look at and do, beside faults.

// subStats is what the real service exports as metrics.
type subStats struct {
	Undelivered      int     `json:"num_undelivered_messages"` // unacked, as the metric of this name
	Outstanding      int     `json:"num_outstanding_messages"`
	OldestUnackedAge float64 `json:"oldest_unacked_message_age"` // seconds
	Consumers        int     `json:"consumers"`
}

func (b *broker) stats() map[string]subStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]subStats{}
	for name, s := range b.subs {
		st := subStats{Outstanding: len(s.leases), Consumers: len(s.consumers)}
		for _, it := range s.log {
			if !it.acked {
				st.Undelivered++
				st.OldestUnackedAge = max(st.OldestUnackedAge, time.Since(it.at).Seconds())
			}
		}
		out[name] = st
	}
	return out
}

// expire ends all leases of a subscription now, as if their holders had died a
// while ago (clients ask for leases of 10 s or more, which is long in a test).
func (b *broker) expire(sub string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := lookup(b.subs, sub)
	if err != nil {
		return err
	}
	for _, it := range s.leases {
		s.fail(it)
	}
	return nil
}
