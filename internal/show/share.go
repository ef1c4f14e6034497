package show

import (
	"context"
	"sync"
	"time"
)

// maxShared bounds how long what several wait for may take.
const maxShared = time.Minute

// sharing computes what several ask for at one time once for all of them.
type sharing[T any] struct {
	mu      sync.Mutex
	running map[string]*shared[T]
}

type shared[T any] struct {
	done    chan struct{}
	waiting int // how many wait for it, but for who computes it
	value   T
	err     error
}

// of computes a value, or waits for who computes it already. It is not ended with
// the context of one of those who wait for it.
func (s *sharing[T]) of(ctx context.Context, key string, compute func(context.Context) (T, error)) (T, error) {
	one, first := s.join(key)
	if !first {
		select {
		case <-one.done:
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
		return one.value, one.err
	}
	defer s.end(key, one)
	one.err = context.Canceled // should it panic
	alone, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxShared)
	defer cancel()
	one.value, one.err = compute(alone)
	return one.value, one.err
}

func (s *sharing[T]) join(key string) (one *shared[T], first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one, ok := s.running[key]; ok {
		one.waiting++
		return one, false
	}
	if s.running == nil {
		s.running = map[string]*shared[T]{}
	}
	one = &shared[T]{done: make(chan struct{})}
	s.running[key] = one
	return one, true
}

func (s *sharing[T]) end(key string, one *shared[T]) {
	s.mu.Lock()
	delete(s.running, key)
	s.mu.Unlock()
	close(one.done)
}

// turns lets only some work at once.
type turns struct {
	once  sync.Once
	taken chan struct{}
}

// enter waits for a turn, which ends with leave.
func (t *turns) enter(ctx context.Context) (leave func(), err error) {
	t.once.Do(func() { t.taken = make(chan struct{}, maxComputed) })
	select {
	case t.taken <- struct{}{}:
		return func() { <-t.taken }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
