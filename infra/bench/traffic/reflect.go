package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"ixpqos/internal/measure/reflector"
)

// reflect answers the sending side at all addresses, without a limit of rate to
// speak of: one sender may be all of the load.
func reflect(ctx context.Context, s settings) error {
	r := reflector.New(reflector.ThisHost("far", trouble))
	defer r.Close()
	r.SetAllowed(addresses(s.from, s.sources))
	problems := r.Apply(reflector.Settings{Addresses: addresses(s.to, s.targets), Port: uint16(s.port), Rate: 1_000_000})
	if problems != nil {
		return errors.Join(problems...)
	}
	ready()
	<-ctx.Done()
	return tell(r.Stats())
}

func trouble(subject, sentence string) {
	if sentence != "" {
		fmt.Fprintf(os.Stderr, "%s: %s\n", subject, sentence)
	}
}
