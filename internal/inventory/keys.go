package inventory

// The roles that a key can have.
const (
	RoleProbe  = "probe"
	RoleViewer = "viewer"
)

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
