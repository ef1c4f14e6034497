package house

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ixpqos/infra/needs"
)

// foreign is what no file may hold: hosts that packages come from, which an
// exchange replaces by its own, and folders of one developer's machine. The
// pieces are joined here so that this file holds none.
var foreign = []string{
	join("proxy.", "golang.org"), join("sum.", "golang.org"), join("goproxy", ".io"), join("goproxy", ".cn"),
	join("registry.", "npmjs.org"), join("registry.", "yarnpkg.com"), join("npm", "mirror.com"),
	join("pypi", ".org"), join("python", "hosted.org"), join("crates", ".io"),
	join("deb.", "debian.org"), join("archive.", "ubuntu.com"),
	join("/ro", "ot/"), join("/ho", "me/"), join("/Us", "ers/"),
}

func join(pieces ...string) string { return strings.Join(pieces, "") }

func TestNoForeignNames(t *testing.T) {
	needs.Git(t)
	top := strings.TrimSpace(git(t, "rev-parse", "--show-toplevel"))
	files := strings.FieldsFunc(git(t, "-C", top, "ls-files", "-z"), func(r rune) bool { return r == 0 })
	if len(files) == 0 {
		t.Fatal("git tracks no file: nothing was checked")
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(top, file))
		if os.IsNotExist(err) {
			continue // deleted, but not yet for git
		}
		if err != nil {
			t.Error(err)
			continue
		}
		for _, found := range findForeign(content) {
			t.Errorf("%s:%s", file, found)
		}
	}
}

// findForeign returns the line and the name of what does not belong.
func findForeign(content []byte) (found []string) {
	for _, name := range foreign {
		if at := bytes.Index(content, []byte(name)); at >= 0 {
			found = append(found, fmt.Sprintf("%d: holds %s", 1+bytes.Count(content[:at], []byte("\n")), name))
		}
	}
	return found
}

func TestForeignNamesAreFound(t *testing.T) {
	for _, name := range foreign {
		found := findForeign([]byte("one\ntwo https://" + name + "/three\n"))
		if want := "2: holds " + name; len(found) != 1 || found[0] != want {
			t.Errorf("found %q, want %q", found, want)
		}
	}
}

func git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd, err, complaints.String())
	}
	return string(out)
}
