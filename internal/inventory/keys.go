package inventory

import (
	"bytes"
	"crypto/sha256"
	"unicode"
)

// The roles that a key can have.
const (
	RoleProbe  = "probe"
	RoleViewer = "viewer"
)

// KeyPrefix is what keys begin with since hashes must not be taken for them. Older
// keys have none and go on working.
const KeyPrefix = "ixp_"

// Key is one accepted key: whose it is and the SHA-256 of its text.
type Key struct {
	Role, Name string
	Hash       [32]byte
}

// Keys are all keys that stand in the inventory.
func (inv *Inventory) Keys() []Key {
	var keys []Key
	for _, p := range inv.Probes {
		keys = appendKeys(keys, RoleProbe, p.Name, p.KeyHashes)
	}
	for _, v := range inv.Viewers {
		keys = appendKeys(keys, RoleViewer, v.Name, v.KeyHashes)
	}
	return keys
}

func appendKeys(keys []Key, role, name string, hashes [][32]byte) []Key {
	for _, hash := range hashes {
		keys = append(keys, Key{Role: role, Name: name, Hash: hash})
	}
	return keys
}

type rawKeys struct {
	Keys at[[]at[rawKey]] `yaml:"keys"`
}

type rawKey struct {
	Role   at[string] `yaml:"role"`
	Name   at[string] `yaml:"name"`
	SHA256 at[string] `yaml:"sha256"`
}

// ParseKeys reads a file of keys, strictly: a list keys of role, name and sha256
// each. The name stands for the file in errors, which join a Problem for each
// thing that is wrong.
func ParseKeys(name string, text []byte) ([]Key, error) {
	raw, err := bindYAML[rawKeys](name, text, "a keys file has a list of keys")
	if err != nil {
		return nil, err
	}
	c := newChecker(name)
	keys := []Key{}
	for _, r := range raw.Keys.Value {
		keys = append(keys, c.key(r)...)
	}
	if err := joined(&c.problems); err != nil {
		return nil, err
	}
	return keys, nil
}

// ParseSharedKey reads a file that holds the first version's one key, which all
// its clients share: the SHA-256 of the only line's text, spaces around it left out.
// The name stands for the file in errors, which never hold the key.
func ParseSharedKey(name string, text []byte) (hash [sha256.Size]byte, err error) {
	p := &problems{file: name}
	key := bytes.TrimSpace(plainText(p, text))
	switch {
	case len(p.found) > 0:
	case len(key) == 0:
		p.add(1, "the file is empty; it holds the key that the first version's clients share, in one line")
	case bytes.ContainsFunc(key, unicode.IsControl):
		p.add(1, "the key has a second line or a control character; the file holds one key, in one line")
	}
	if err := joined(p); err != nil {
		return hash, err
	}
	return sha256.Sum256(key), nil
}

func (c *checker) key(raw at[rawKey]) []Key {
	// One name may stand here twice: a key is replaced by another without a gap.
	o := c.named("", "key", raw.Value.Name, raw.Line)
	role := c.choice(o, "role", raw.Value.Role, []string{RoleProbe, RoleViewer}, "")
	if !raw.Value.Role.given() {
		c.fail(o, raw.Line, "has no role; it is %s or %s", RoleProbe, RoleViewer)
	}
	hashes := c.keys(o, []at[string]{{Line: raw.Line, Value: raw.Value.SHA256.Value}})
	return appendKeys(nil, role, raw.Value.Name.Value, hashes)
}
