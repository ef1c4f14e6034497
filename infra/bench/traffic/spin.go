package main

import "context"

// spin takes all of a core.
func spin(ctx context.Context, _ settings) error {
	ready()
	for ctx.Err() == nil {
	}
	return nil
}
