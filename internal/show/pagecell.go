package show

import (
	"fmt"
	"strings"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

// lossWarn and lossBad are the loss ratios from which a cell is coloured. They
// only colour; nothing is judged by them.
const lossWarn, lossBad = 0, 0.05

// pageCell is what one pair looks like: a class for the style, a short text and
// all the rest for who points at it.
type pageCell struct{ Class, Text, Title string }

func newPageCell(c wire.Cell) pageCell {
	out := pageCell{Class: c.State, Title: fmt.Sprintf("%s → %s: %s", c.Source, c.Target, describe(c))}
	switch {
	case c.Sent == nil:
		out.Text = c.State
	case c.LossRatio == nil:
		out.Text = unsent(c)
	case *c.LossRatio > 0:
		out.Text = percent(*c.LossRatio) + " lost"
	case c.RTTP50US == nil:
		out.Text = "late"
	default:
		out.Text = ippm.DelayText(*c.RTTP50US)
	}
	switch c.State {
	case wire.StateFresh:
		out.Class = lossClass(c.LossRatio)
	case wire.StateStale:
		out.Text = "no news for " + shortDuration(time.Duration(*c.AgeS*float64(time.Second)))
	}
	return out
}

// unsent is why nothing counts as sent, and at which host: what the source's own
// kernel refused never left it, and what is unserved reached the target.
func unsent(c wire.Cell) string {
	switch {
	case *c.Refused > 0:
		return "not sent by " + c.Source
	case *c.Unserved > 0:
		return "unserved at " + c.Target
	}
	return "not sent"
}

func lossClass(ratio *float64) string {
	switch {
	case ratio == nil:
		return "refused"
	case *ratio >= lossBad:
		return "bad"
	case *ratio > lossWarn:
		return "warn"
	}
	return "good"
}

func describe(c wire.Cell) string {
	if c.Sent == nil {
		return map[string]string{
			wire.StatePending: "pending: " + notYet,
			wire.StateNone:    "nothing measured yet",
		}[c.State]
	}
	parts := append([]string{fmt.Sprintf("%d sent, %d received, %d late, %d lost%s", *c.Sent, *c.Received, *c.Late, *c.Lost, directions(c))}, hosts(c)...)
	if c.RTTP50US != nil {
		parts = append(parts, fmt.Sprintf("RTT min %s, median %s, p95 %s, max %s",
			ippm.DelayText(*c.RTTMinUS), ippm.DelayText(*c.RTTP50US), ippm.DelayText(*c.RTTP95US), ippm.DelayText(*c.RTTMaxUS)))
	}
	parts = append(parts, fmt.Sprintf("interval from %s for %s", c.Start.Format("15:04:05 UTC"), shortDuration(time.Duration(*c.LengthS*float64(time.Second)))))
	switch c.State {
	case wire.StateStale:
		parts = append(parts, fmt.Sprintf("stale: nothing new since %s", shortDuration(time.Duration(*c.AgeS*float64(time.Second)))))
	case wire.StatePending:
		parts = append(parts, "pending: "+notYet)
	}
	return strings.Join(parts, "\n")
}

// notYet is why a pair is pending.
const notYet = "the two do not know each other, or not the same addresses, ports and tests, yet"

// hosts are what became of packets at the pair's own hosts, and what these say.
func hosts(c wire.Cell) (parts []string) {
	if *c.Refused > 0 {
		parts = append(parts, fmt.Sprintf("%d not sent: refused by the own host, %s", *c.Refused, c.Source))
	}
	if *c.Unserved > 0 {
		parts = append(parts, fmt.Sprintf("%d unserved: they reached %s, where nothing reflected them", *c.Unserved, c.Target))
	}
	if len(c.Troubled) > 0 {
		parts = append(parts, "a trouble of this pair is reported by "+strings.Join(c.Troubled, " and "))
	}
	return parts
}

// directions are those of the lost packets, where the direction of any is known.
func directions(c wire.Cell) string {
	if *c.Forward+*c.Backward == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d forward, %d backward, %d unplaced)", *c.Forward, *c.Backward, *c.Unplaced)
}

func percent(ratio float64) string {
	if ratio < 0.0995 {
		return fmt.Sprintf("%.1f %%", ratio*100)
	}
	return fmt.Sprintf("%.0f %%", ratio*100)
}
