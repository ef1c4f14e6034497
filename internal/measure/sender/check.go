package sender

import (
	"fmt"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
)

// What a probe does at most, whatever its configuration asks for.
const (
	maxPairs     = 4096
	maxFlows     = 1024
	maxPerSecond = 20_000
)

// Check tells why a test over so many pairs would not be run: it is what no
// exchange means, but a mistake or a stolen server might ask for.
func Check(t inventory.Test, pairs int) error {
	switch {
	case pairs > maxPairs:
		return fmt.Errorf("%d pairs are more than the %d that a probe measures", pairs, maxPairs)
	case t.Flows < 1 || t.Flows > maxFlows:
		return fmt.Errorf("flows %d is not 1 to %d", t.Flows, maxFlows)
	case t.Port == 0 || int(t.Port)+t.Flows > 1<<16:
		return fmt.Errorf("%d source ports from %d on go beyond 65535", t.Flows, t.Port)
	case t.Spacing < 2*Tick || t.Spacing%Tick != 0:
		return fmt.Errorf("spacing %v is not a multiple of %v, and %v at least", t.Spacing, Tick, 2*Tick)
	case t.Every < t.Spacing || t.Every <= 0 || t.Every > ippm.MaxFlowInterval:
		return fmt.Errorf("interval %v is not %v to %v", t.Every, t.Spacing, ippm.MaxFlowInterval)
	case t.Size > inventory.MaxSize:
		return fmt.Errorf("size %d is more than %d", t.Size, inventory.MaxSize)
	case t.DSCP > 63:
		return fmt.Errorf("dscp %d is over 63", t.DSCP)
	case float64(pairs*t.Flows)/t.Spacing.Seconds() > maxPerSecond:
		return fmt.Errorf("%d pairs with %d flows each %v are more than the %d packets a second that a probe sends", pairs, t.Flows, t.Spacing, maxPerSecond)
	}
	return nil
}
