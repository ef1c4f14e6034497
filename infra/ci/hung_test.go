package ci

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ixpqos/infra/needs"
)

// TestAHangingTestIsNamed lets a package of its own hang until its time is over.
func TestAHangingTestIsNamed(t *testing.T) {
	needs.Time(t)
	dir, report := t.TempDir(), filepath.Join(t.TempDir(), "report")
	for name, text := range map[string]string{
		"go.mod": "module made\n",
		"made_test.go": "package made\nimport \"testing\"\n" +
			"func TestGood(t *testing.T) {}\n" +
			"func TestBad(t *testing.T) { t.Run(\"a case\", func(t *testing.T) { select {} }) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := script(t, dir, report, `set -o pipefail; go test -timeout 2s ./... 2>&1 | "$SCRIPTS/hung"`)
	if err == nil || !strings.Contains(out, "panic: test timed out after 2s") || !strings.Contains(out, "FAIL\tmade\t") {
		t.Errorf("what go test said and its status are passed on: %v\n%s", err, out)
	}
	out, err = script(t, dir, report, `"$SCRIPTS/report" "$IXPQOS_REPORT"`)
	if err != nil || !strings.Contains(out, "\n  made, ended after 2s, ran: TestBad (") || !strings.Contains(out, "TestBad/a_case (") || strings.Contains(out, "TestGood") {
		t.Errorf("%v\n%s", err, out)
	}
}

// script runs some shell in a folder, with the scripts in $SCRIPTS.
func script(t *testing.T, dir, report, text string) (string, error) {
	t.Helper()
	scripts, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", text)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SCRIPTS="+scripts, "IXPQOS_REPORT="+report, "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
