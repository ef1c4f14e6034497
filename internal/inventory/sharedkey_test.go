package inventory

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseSharedKey(t *testing.T) {
	for name, c := range map[string]struct{ text, key string }{
		"a line":              {"s3cret\n", "s3cret"},
		"no end of line":      {"s3cret", "s3cret"},
		"spaces around it":    {" s3cret \r\n\n", "s3cret"},
		"a space inside":      {"s3 cret\n", "s3 cret"},
		"a byte order mark":   {"\ufeffs3cret\n", "s3cret"},
		"letters of a person": {"chiave-è\n", "chiave-è"},
	} {
		if got, err := ParseSharedKey("key", []byte(c.text)); err != nil || got != sha256.Sum256([]byte(c.key)) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
}

func TestParseSharedKeyRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "key:1: the file is empty; it holds the key that the first version's clients share, in one line",
		" \n\n":            "key:1: the file is empty; it holds the key that the first version's clients share, in one line",
		"s3cret\nother\n":  "key:1: the key has a second line or a control character; the file holds one key, in one line",
		"s3\x00cret":       "key:1: the key has a second line or a control character; the file holds one key, in one line",
		"s3cret\xff\xfe\n": "key:1: the text is not UTF-8; save the file in that encoding",
	} {
		_, err := ParseSharedKey("key", []byte(text))
		if messageOf(err) != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if strings.Contains(messageOf(err), "s3cret") {
			t.Errorf("%q: the error tells the key", text)
		}
	}
}

func TestSharedKeyIsReloaded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shared.key")
	if _, err := OpenSharedKey(path); err == nil || !strings.Contains(err.Error(), "the shared key file cannot be read") {
		t.Errorf("without a file: %v", err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one\n")
	watched, err := OpenSharedKey(path)
	if err != nil {
		t.Fatal(err)
	}
	write("")
	if changed, err := watched.Reload(); changed || err == nil || watched.Current() != sha256.Sum256([]byte("one")) {
		t.Errorf("an empty file: changed %v, %v", changed, err)
	}
	write("two\n")
	if changed, err := watched.Reload(); !changed || err != nil || watched.Current() != sha256.Sum256([]byte("two")) {
		t.Errorf("another key: changed %v, %v", changed, err)
	}
}
