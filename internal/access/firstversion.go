package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"ixpqos/internal/wire"
)

// RoleShared is the role of the first version's one key, which all its clients
// share. It stands for no name, and opens nothing but the first version's interface.
const RoleShared = "shared"

// firstVersionPrefixes are what the first version's paths begin with: as they
// are, and as its web server showed them.
var firstVersionPrefixes = []string{"", "/backend"}

// Caller is whose key a request of the first version's interface carried.
type Caller struct{ Role, Name string }

// Caller is who may use the first version's interface by that key: a probe, a
// viewer, or whoever has the shared key. Everybody needs one here: PublicRead is
// not of the first version.
func (g Gate) Caller(presented string) (Caller, error) {
	if presented == "" {
		return Caller{}, ErrNoKey
	}
	hash := sha256.Sum256([]byte(presented))
	caller, err := Caller{}, ErrWrongKey
	if g.SharedKey != nil {
		shared := g.SharedKey()
		if subtle.ConstantTimeCompare(hash[:], shared[:]) == 1 {
			caller, err = Caller{Role: RoleShared}, nil
		}
	}
	for _, key := range g.keys() {
		if subtle.ConstantTimeCompare(hash[:], key.Hash[:]) == 1 {
			caller, err = Caller{Role: key.Role, Name: key.Name}, nil
		}
	}
	return caller, err
}

// FirstVersion serves a path of the first version's interface to everybody who
// has a key, below /backend too. It is no part of the OpenAPI document, which
// describes version 2.
func (a *API) FirstVersion(method, path string, handle func(http.ResponseWriter, *http.Request, Caller)) {
	guarded := func(w http.ResponseWriter, r *http.Request) {
		caller, err := a.Gate.Caller(r.Header.Get(HeaderKey))
		switch {
		case errors.Is(err, ErrNoKey):
			WriteFirstVersionError(w, http.StatusBadRequest, "Please provide an API key")
		case err != nil:
			a.refused(r, r.Header.Get(HeaderKey), err)
			WriteFirstVersionError(w, http.StatusForbidden, "The provided API key is not valid")
		default:
			handle(w, r, caller)
		}
	}
	for _, prefix := range firstVersionPrefixes {
		a.Mux.HandleFunc(method+" "+prefix+path, guarded)
	}
}

// WriteFirstVersion answers with a body of the first version's interface.
func WriteFirstVersion(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // an error here is the client's going away
}

// WriteFirstVersionError answers with an error as the first version's clients
// read it: they print what stands under "error".
func WriteFirstVersionError(w http.ResponseWriter, status int, detail string) {
	WriteFirstVersion(w, status, wire.FirstError{Error: detail})
}

// WriteError answers in the form of the interface that was asked.
func WriteError(w http.ResponseWriter, path string, status int, detail string) {
	if isFirstVersion(path) {
		WriteFirstVersionError(w, status, detail)
		return
	}
	WriteProblem(w, status, detail)
}

func isFirstVersion(path string) bool {
	for _, room := range []string{"/api/v1", "/backend"} {
		if path == room || strings.HasPrefix(path, room+"/") {
			return true
		}
	}
	return false
}
