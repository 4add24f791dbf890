package main

import (
	"slices"
	"strconv"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"
)

// What becomes of a delivered message: acknowledged, given back, dead-lettered,
// or made available again by a seek.

// release ends a lease without saying what becomes of the message.
func (s *subscription) release(it *item) {
	delete(s.leases, it.ackID)
	s.b.timers.set(it, time.Time{})
	c := it.holder
	it.ackID, it.holder = "", nil
	c.msgs--
	c.bytes -= it.size
	c.signal() // flow control may have room again
}

func (s *subscription) ack(it *item) {
	s.release(it)
	it.acked = true
	l := it.lane
	for len(l.items) > 0 && l.items[0].acked {
		l.items[0].done = true
		s.done++
		l.items[0] = nil
		l.items = l.items[1:]
		l.next--
	}
	if l.next == 0 {
		l.owner = nil
	}
	if len(l.items) == 0 && l.key != "" && s.lanes[l.key] == l {
		delete(s.lanes, l.key)
	}
	s.offer(l)
	if s.done > 1000 && s.done*2 > len(s.log) && !s.pb.RetainAckedMessages {
		s.log = slices.DeleteFunc(s.log, func(i *item) bool { return i.done })
		s.done = 0
	}
}

// fail handles a nack or an expired lease: dead-letter, or redeliver.
func (s *subscription) fail(it *item) {
	if p := s.pb.DeadLetterPolicy; p != nil && it.attempts >= p.MaxDeliveryAttempts {
		if dlt := s.b.topics[p.DeadLetterTopic]; dlt != nil {
			m := proto.CloneOf(it.pb)
			if m.Attributes == nil {
				m.Attributes = map[string]string{}
			}
			_, project, _, id := splitName(s.pb.Name)
			m.Attributes["CloudPubSubDeadLetterSourceDeliveryCount"] = strconv.Itoa(int(it.attempts))
			m.Attributes["CloudPubSubDeadLetterSourceSubscription"] = id
			m.Attributes["CloudPubSubDeadLetterSourceSubscriptionProject"] = project
			m.Attributes["CloudPubSubDeadLetterSourceTopicPublishTime"] = it.at.UTC().Format("2006-01-02T15:04:05.000-07:00")
			s.ack(it)
			s.b.publish(dlt, []*pb.PubsubMessage{m})
			return
		}
	}
	s.redeliver(it, s.backoff(it.attempts))
}

// redeliver ends the lease of a message and of all that follow it in its lane,
// and makes them available again after the delay.
func (s *subscription) redeliver(it *item, delay time.Duration) {
	l := it.lane
	i := slices.Index(l.items[:l.next], it)
	for _, later := range l.items[i:l.next] {
		if later.ackID != "" {
			s.release(later)
		}
		if later.acked = false; later != it {
			later.attempts-- // its delivery did not fail
		}
	}
	if l.next = i; i == 0 {
		l.owner = nil
	}
	if delay > 0 {
		l.blocked = time.Now().Add(delay)
		s.b.timers.set(it, l.blocked)
	}
	s.offer(l)
}

// backoff is the retry policy's delay after the n-th failed delivery. Without a
// policy pull redelivers at once; push has a default of its own.
func (s *subscription) backoff(n int32) time.Duration {
	lo, hi := time.Duration(0), time.Duration(0)
	if p := s.pb.RetryPolicy; p != nil {
		lo, hi = p.MinimumBackoff.AsDuration(), p.MaximumBackoff.AsDuration()
	} else if s.pb.PushConfig.GetPushEndpoint() != "" {
		lo, hi = 100*time.Millisecond, time.Minute
	}
	return min(lo<<min(n-1, 20), hi)
}

// rewind makes exactly those retained (or given) messages unacked that keep accepts.
func (s *subscription) rewind(given []*message, keep func(*message) bool) {
	bySeq := map[uint64]*message{}
	for _, it := range s.leases {
		s.release(it)
	}
	for _, it := range s.log {
		bySeq[it.seq] = it.message
		s.b.timers.set(it, time.Time{})
		it.lane.items, it.lane.next = nil, 0 // a consumer may have it queued
	}
	for _, m := range given {
		bySeq[m.seq] = m
	}
	for c := range s.consumers {
		c.ready = fifo[*lane]{}
	}
	s.lanes, s.ready, s.log, s.done = map[string]*lane{}, fifo[*lane]{}, nil, 0
	all := make([]*message, 0, len(bySeq))
	for _, m := range bySeq {
		all = append(all, m)
	}
	slices.SortFunc(all, func(x, y *message) int { return int(x.seq) - int(y.seq) })
	for _, m := range all {
		if keep(m) {
			s.add(m)
		} else if s.pb.RetainAckedMessages {
			s.log = append(s.log, &item{message: m, sub: s, lane: &lane{}, acked: true, done: true})
			s.done++
		}
	}
}
