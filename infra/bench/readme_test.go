package main

import (
	"os"
	"testing"
)

// TestReadmeSaysWhatWasMeasured: nobody writes a figure by hand.
func TestReadmeSaysWhatWasMeasured(t *testing.T) {
	r, err := read("results.json")
	if err != nil {
		t.Fatal(err)
	}
	if r.Short || r.missing() {
		t.Error("results.json is not of a full run with all its figures: make bench")
	}
	content, err := os.ReadFile("../../" + readme)
	if err != nil {
		t.Fatal(err)
	}
	updated, err := splice(content, r.markdown())
	if err != nil {
		t.Fatalf("%s: %v", readme, err)
	}
	if string(updated) != string(content) {
		t.Errorf("%s has other figures than results.json: go run ./infra/bench -readme", readme)
	}
}
