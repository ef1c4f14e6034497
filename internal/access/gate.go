// Package access is what both APIs share: who may do what, and what a refusal
// looks like. It knows keys, roles, limits, RFC 9457 errors and the service
// endpoints; it knows no result.
//
// What it promises: keys are compared by their SHA-256 in constant time and are
// never logged; a request without an accepted key learns nothing but that; and
// every error of the API, those of the router included, says what is wrong and
// what to do, in a problem document, or as the first version did under its paths.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"ixpqos/internal/inventory"
)

// HeaderKey is the header that carries a key.
const HeaderKey = "X-API-Key"

// Gate knows all keys. Inventory and Keys are asked anew at every request, so
// that a reload takes effect at once.
type Gate struct {
	Inventory func() *inventory.Inventory
	// Keys are those of the file of their own; nil where there is none.
	Keys func() []inventory.Key
	// SharedKey is the SHA-256 of the first version's shared key; nil where there
	// is none.
	SharedKey func() [sha256.Size]byte
	// PublicRead opens the viewer-facing endpoints of version 2 to everybody.
	PublicRead bool

	removed *removed // nil where nothing is remembered
}

// Errors of the gate.
var (
	ErrNoKey    = errors.New("this needs a key: send it in the header " + HeaderKey + " (in a browser: as the password)")
	ErrWrongKey = errors.New("the key is not accepted")
	// ErrViewersKey: the key is accepted, but for something else.
	ErrViewersKey = errors.New("it may read, and this needs a probe's; make one by: ixpqos-server key new NAME, and write its sha256 into the inventory")
	// ErrProbesKey: the key is accepted, but for something else.
	ErrProbesKey = errors.New("it may report, and this needs a viewer's; make one by: ixpqos-server key new NAME --role viewer, and write its sha256 into the inventory")
)

// Probe is the name of the probe whose key was presented.
func (g Gate) Probe(presented string) (name string, err error) {
	if g.removed != nil {
		g.removed.learn(g.Inventory())
	}
	if name, err = g.find(presented, inventory.RoleProbe); err == nil {
		return name, nil
	}
	if viewer, other := g.find(presented, inventory.RoleViewer); other == nil {
		return "", fmt.Errorf("this key is viewer %q's: %w", viewer, ErrViewersKey)
	}
	if g.removed != nil && errors.Is(err, ErrWrongKey) {
		return "", g.removed.why(g.Inventory(), presented)
	}
	return "", err
}

// Viewer is the name of the viewer whose key was presented.
func (g Gate) Viewer(presented string) (name string, err error) {
	if name, err = g.find(presented, inventory.RoleViewer); err == nil {
		return name, nil
	}
	if probe, other := g.find(presented, inventory.RoleProbe); other == nil {
		err = fmt.Errorf("this key is probe %q's: %w", probe, ErrProbesKey)
	}
	return name, err
}

func (g Gate) find(presented, role string) (name string, err error) {
	if presented == "" {
		return "", ErrNoKey
	}
	hash := sha256.Sum256([]byte(presented))
	err = ErrWrongKey
	for _, key := range g.keys() {
		// No early exit: how long this takes tells nothing about which key it was.
		if subtle.ConstantTimeCompare(hash[:], key.Hash[:]) == 1 && key.Role == role {
			name, err = key.Name, nil
		}
	}
	return name, err
}

func (g Gate) keys() []inventory.Key {
	keys := g.Inventory().Keys()
	if g.Keys != nil {
		keys = slices.Concat(keys, g.Keys())
	}
	return keys
}

// mistaken tells whether the key stands itself where its hash belongs. Keys of
// earlier versions look like hashes, so that no parser can tell.
func (g Gate) mistaken(presented string) bool {
	hash, err := hex.DecodeString(presented)
	if err != nil || len(hash) != sha256.Size {
		return false
	}
	return slices.ContainsFunc(g.keys(), func(key inventory.Key) bool { return subtle.ConstantTimeCompare(hash, key.Hash[:]) == 1 })
}

// viewersKey is what a request presents as one: the header, or, from a browser,
// the password of Basic authentication.
func viewersKey(r *http.Request) string {
	presented := r.Header.Get(HeaderKey)
	if presented == "" {
		_, presented, _ = r.BasicAuth()
	}
	return presented
}

// CanRead tells whether the request may read: with a viewer's key in the
// header, or, for a browser, as the password of Basic authentication.
func (g Gate) CanRead(r *http.Request) error {
	if g.PublicRead {
		return nil
	}
	_, err := g.Viewer(viewersKey(r))
	return err
}

// NewKey makes a key of 256 random bits, and the hash that a configuration file
// keeps of it: the SHA-256 of the key's text, so that `printf %s KEY |
// sha256sum` gives it too. The prefix tells it from a hash.
func NewKey() (key string, hash [sha256.Size]byte) {
	var secret [32]byte
	rand.Read(secret[:]) // never fails: it ends the program if the system has no randomness
	key = inventory.KeyPrefix + hex.EncodeToString(secret[:])
	return key, sha256.Sum256([]byte(key))
}
