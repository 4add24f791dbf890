package main

import (
	"container/heap"
	"time"
)

// timers is a heap of the items that wait for something: the end of their lease
// or (not leased) the end of their lane's backoff.
type timers []*item

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].until.Before(t[j].until) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].timer, t[j].timer = i+1, j+1
}
func (t *timers) Push(v any) {
	*t = append(*t, v.(*item))
	v.(*item).timer = len(*t)
}
func (t *timers) Pop() any {
	n := len(*t) - 1
	it := (*t)[n]
	(*t)[n], *t = nil, (*t)[:n]
	it.timer = 0
	return it
}

// set arms, moves or (zero time) disarms the item's timer.
func (t *timers) set(it *item, at time.Time) {
	it.until = at
	switch {
	case at.IsZero() && it.timer > 0:
		heap.Remove(t, it.timer-1)
	case at.IsZero():
	case it.timer > 0:
		heap.Fix(t, it.timer-1)
	default:
		heap.Push(t, it)
	}
}

// runTimers ends leases and backoffs, every 10 ms.
func (b *broker) runTimers() {
	for now := range time.Tick(10 * time.Millisecond) {
		b.mu.Lock()
		for len(b.timers) > 0 && !b.timers[0].until.After(now) {
			it := b.timers[0]
			b.timers.set(it, time.Time{})
			if it.ackID != "" {
				it.sub.fail(it)
			} else if l := it.lane; !l.blocked.After(now) {
				l.blocked = time.Time{}
				it.sub.offer(l)
			}
		}
		b.mu.Unlock()
	}
}
