package sender

import (
	"fmt"

	"ixpqos/internal/inventory"
)

// What a probe does at most, whatever its configuration asks for, beside the
// bounds of an inventory.
const (
	maxPairs     = inventory.MaxPairs
	maxPerSecond = inventory.MaxPacketsPerSecond
)

// Check tells why a test over so many pairs would not be run: it is what no
// exchange means, but a mistake or a stolen server might ask for.
func Check(t inventory.Test, pairs int) error {
	switch {
	case pairs > maxPairs:
		return fmt.Errorf("%d pairs are more than the %d that a probe measures", pairs, maxPairs)
	case t.Flows < 1 || t.Flows > inventory.MaxFlows:
		return fmt.Errorf("flows %d is not 1 to %d", t.Flows, inventory.MaxFlows)
	case t.Port < inventory.MinPort || int(t.Port)+t.Flows > 1<<16:
		return fmt.Errorf("%d source ports from %d on are not within %d to 65535", t.Flows, t.Port, inventory.MinPort)
	case t.Spacing < inventory.MinFlowSpacing || t.Spacing%Tick != 0:
		return fmt.Errorf("spacing %v is not a multiple of %v, and %v at least", t.Spacing, Tick, inventory.MinFlowSpacing)
	case t.Every < t.Spacing || t.Every > inventory.MaxInterval:
		return fmt.Errorf("interval %v is not %v to %v", t.Every, t.Spacing, inventory.MaxInterval)
	case t.Size < inventory.MinSTAMPSize(t.Families) || t.Size > inventory.MaxSize:
		return fmt.Errorf("size %d is not %d to %d", t.Size, inventory.MinSTAMPSize(t.Families), inventory.MaxSize)
	case t.DSCP > 63:
		return fmt.Errorf("dscp %d is over 63", t.DSCP)
	}
	return checkRate(t.PacketRate(pairs))
}

// checkRate tells why so many packets a second are not sent.
func checkRate(perSecond float64) error {
	if perSecond > maxPerSecond {
		return fmt.Errorf("it would make %.0f packets a second, more than the %d that a probe sends: fewer flows, or more spacing", perSecond, maxPerSecond)
	}
	return nil
}
