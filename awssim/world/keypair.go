package world

import (
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
)

// KeyPair is an SSH key that instances may be launched with; nobody can log in.
type KeyPair struct {
	ID, Name, Fingerprint string
	Kind                  string // "rsa" or "ed25519"
	Created               time.Time
	Tags                  []launchspec.Tag
}

// AddKeyPair makes a key pair.
func (s *State) AddKeyPair(name, kind, fingerprint string, tags []launchspec.Tag) (*KeyPair, error) {
	switch {
	case name == "":
		return nil, apierror.Missing("KeyName")
	case s.KeyPairs[name] != nil:
		return nil, apierror.New("InvalidKeyPair.Duplicate", "The keypair already exists")
	case kind != "rsa" && kind != "ed25519":
		return nil, apierror.Invalid("Invalid value '%s' for KeyType.", kind)
	}
	k := &KeyPair{
		ID:          s.id("key"),
		Name:        name,
		Fingerprint: fingerprint,
		Kind:        kind,
		Created:     s.Now,
		Tags:        launchspec.SetTags(nil, tags),
	}
	s.KeyPairs[name] = k
	return k, nil
}

// KeyPair finds a key pair by name or, when that is empty, by id.
func (s *State) KeyPair(name, id string) (*KeyPair, error) {
	for _, k := range s.KeyPairs {
		if name != "" && k.Name == name || name == "" && k.ID == id {
			return k, nil
		}
	}
	if name == "" {
		name = id
	}
	return nil, apierror.New("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", name)
}
