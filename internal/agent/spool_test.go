package agent

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"
)

// TestSpoolByHand lists, sends again and discards what a server refused.
func TestSpoolByHand(t *testing.T) {
	srv := answering(t, http.StatusUnprocessableEntity, `{"detail":"no such probe"}`, "Content-Type", "application/problem+json")
	r := newReporting(t, srv.URL, clockwork.NewRealClock())
	for range 3 {
		if err := r.emit(t.Context(), aResult()); err != nil {
			t.Fatal(err)
		}
		r.uploader.Finish(t.Context()) // it ends at a refusal
	}
	if got := r.spool.Stats(); got.SetAside != 3 || got.Waiting != 0 {
		t.Fatalf("stats are %+v", got)
	}
	state := r.state
	shows := func(wanted ...string) {
		t.Helper()
		var out strings.Builder
		if err := ListSpool(state, &out); err != nil {
			t.Error(err)
		}
		for _, want := range wanted {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, out.String())
			}
		}
	}
	shows("FILE", "0000000000000001.batch", "no such probe")
	var out strings.Builder
	if err := DiscardSpool(state, &out, "0000000000000001.batch"); err != nil {
		t.Error(err)
	}
	if err := RetrySpool(state, &out); err != nil {
		t.Error(err)
	}
	if want := "1 files are deleted\n2 files are sent again"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("said %q, want %q", out.String(), want)
	}
	shows("nothing is set aside")
	again, err := filepath.Glob(filepath.Join(spoolOf(state), "again", "*"))
	if err != nil || len(again) != 2 {
		t.Errorf("to be sent again are %v, %v", again, err)
	}
	if err := ListSpool(filepath.Join(state, "none"), &out); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("of no state folder: %v", err)
	}
}
