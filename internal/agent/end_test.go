package agent

import (
	"context"
	"testing"

	"ixpqos/infra/needs"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
)

// TestTheSTAMPEngineGivesItsEnd: what was measured until the probe was told to end
// is given before Run returns, with what was heard.
func TestTheSTAMPEngineGivesItsEnd(t *testing.T) {
	needs.Time(t)
	port := freePort(t)
	(&stampEngine{name: "p2", board: quietBoard(), log: discard}).start(t, fabric("p2", "p1", port))
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	parts, batches, ended := make(chan inventory.Part, 1), make(chan ippm.Batch, 100), make(chan error, 1)
	parts <- fabric("p1", "p2", port)
	go func() {
		ended <- (&stampEngine{name: "p1", board: quietBoard(), log: discard}).Run(ctx, parts, func(_ context.Context, b ippm.Batch) error {
			batches <- b
			return nil
		})
	}()
	for b := range batches {
		if len(b.Results) > 0 && b.Results[0].Sent > 0 {
			break
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	close(batches)
	results, heard := 0, 0
	for b := range batches {
		results += len(b.Results)
		heard += len(b.Heard)
	}
	if results == 0 || heard == 0 {
		t.Errorf("the end gives %d results, %d heard", results, heard)
	}
}
