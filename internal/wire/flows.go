package wire

import (
	"math/bits"
	"time"

	"ixpqos/internal/ippm"
)

// Flows are the results of one pair over time, flow by flow.
type Flows struct {
	Source  string       `json:"source"`
	Target  string       `json:"target"`
	From    time.Time    `json:"from"`
	Until   time.Time    `json:"until"`
	Results []FlowResult `json:"results" doc:"by test, family and DSCP, then by time; those that have flows"`
	// Complete is false where there were more than are given at once.
	Complete bool   `json:"complete" doc:"false where there are more results than are given at once; ask for less time"`
	Note     string `json:"note,omitempty" doc:"why there are no results, where no test of kind stamp measures from source to target"`
}

// FlowResult is what one test's flows saw in one interval.
type FlowResult struct {
	Test    string    `json:"test"`
	Family  uint8     `json:"family" enum:"4,6"`
	DSCP    uint8     `json:"dscp"`
	Start   time.Time `json:"start" doc:"beginning of the interval"`
	LengthS float64   `json:"length_s" doc:"length of the interval in seconds"`
	Placed  bool      `json:"placed" doc:"whether the target's reflector told what it heard in this interval; where that fits, it places lost packets of silent flows"`
	FlowCounts
	Flows []Flow `json:"flows" doc:"in order of their ports"`
}

// FlowCounts says what became of the packets, of one flow or of all.
type FlowCounts struct {
	Sent       int      `json:"sent" doc:"received + late + lost"`
	Received   int      `json:"received" doc:"replies within the loss threshold"`
	Late       int      `json:"late" doc:"replies after the loss threshold"`
	Lost       int      `json:"lost" doc:"lost_forward + lost_backward + lost_unplaced"`
	LossRatio  *float64 `json:"loss_ratio" doc:"lost / sent; null when nothing was sent" nullable:"true"`
	Forward    int      `json:"lost_forward" doc:"packets lost from source to target"`
	Backward   int      `json:"lost_backward" doc:"packets lost from target to source"`
	Unplaced   int      `json:"lost_unplaced" doc:"packets lost in a direction that is not known"`
	Refused    int      `json:"refused" doc:"packets that the source's own kernel refused to send"`
	Unserved   int      `json:"unserved" doc:"packets that reached a host on which nothing reflected them; not in sent"`
	Duplicates int      `json:"duplicates" doc:"further copies of replies"`
	Reordered  int      `json:"reordered" doc:"replies that were overtaken"`
}

// Flow is one flow of a pair: one UDP 5-tuple, told by its source port.
type Flow struct {
	Port uint16 `json:"port" doc:"the source's UDP port"`
	FlowCounts
	LossyForward     []int    `json:"lossy_seconds_forward" doc:"seconds of the interval, from 0, in which packets were sent that were lost from source to target"`
	LossyBackward    []int    `json:"lossy_seconds_backward" doc:"the same from target to source"`
	LossyUnplaced    []int    `json:"lossy_seconds_unplaced" doc:"the same in a direction that is not known"`
	RTTMedianUS      *float64 `json:"rtt_median_us" doc:"microseconds; null without a reply" nullable:"true"`
	RTTMaxUS         *float64 `json:"rtt_max_us" doc:"microseconds; null without a reply" nullable:"true"`
	OneWayForwardUS  *float64 `json:"one_way_forward_us" doc:"median in microseconds as the two clocks read, so how far they are apart is in it: it says how flows differ; null without a reply" nullable:"true"`
	OneWayBackwardUS *float64 `json:"one_way_backward_us" doc:"the same from target to source; null without a reply" nullable:"true"`
}

// FlowsOf is a result flow by flow. Placed says that what the target's reflector
// heard is in it (ippm.Join).
func FlowsOf(r ippm.Result, placed bool) FlowResult {
	w := FlowResult{Test: r.Test, Family: r.Family, DSCP: r.DSCP, Start: r.Start.UTC(), LengthS: r.Length.Seconds(),
		Placed: placed, FlowCounts: flowCounts(r.Counts), Flows: make([]Flow, len(r.Flows))}
	for i, f := range r.Flows {
		w.Flows[i] = fromFlow(f)
	}
	return w
}

func fromFlow(f ippm.Flow) Flow {
	measured := f.Samples > 0
	return Flow{Port: f.Port, FlowCounts: flowCounts(f.Counts),
		LossyForward: seconds(f.LossyForward), LossyBackward: seconds(f.LossyBackward), LossyUnplaced: seconds(f.LossyUnplaced),
		RTTMedianUS: orNull(f.Median, measured), RTTMaxUS: orNull(f.Max, measured),
		OneWayForwardUS: orNull(f.OneWayForward, measured), OneWayBackwardUS: orNull(f.OneWayBackward, measured)}
}

func flowCounts(c ippm.Counts) FlowCounts {
	return FlowCounts{Sent: c.Sent, Received: c.Received, Late: c.Late, Lost: c.Lost(), LossRatio: LossRatio(c),
		Forward: c.Forward, Backward: c.Backward, Unplaced: c.Unplaced,
		Refused: c.Refused, Unserved: c.Unserved, Duplicates: c.Duplicates, Reordered: c.Reordered}
}

// seconds are those whose bits are set.
func seconds(set uint64) []int {
	all := make([]int, 0, bits.OnesCount64(set))
	for ; set != 0; set &= set - 1 {
		all = append(all, bits.TrailingZeros64(set))
	}
	return all
}
