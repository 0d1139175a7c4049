package ec2api

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type keyXML struct {
	ID          string           `xml:"keyPairId"`
	Name        string           `xml:"keyName"`
	Kind        string           `xml:"keyType,omitempty"`
	Fingerprint string           `xml:"keyFingerprint"`
	Created     string           `xml:"createTime,omitempty"`
	Material    string           `xml:"keyMaterial,omitempty"`
	Tags        []launchspec.Tag `xml:"tagSet>item,omitempty"`
}

func toKeyXML(k *world.KeyPair) keyXML {
	return keyXML{
		ID:          k.ID,
		Name:        k.Name,
		Kind:        k.Kind,
		Fingerprint: k.Fingerprint,
		Created:     stamp(k.Created),
		Tags:        k.Tags,
	}
}

type createKeyIn struct {
	DryRun bool
	Name   string                        `query:"KeyName"`
	Kind   string                        `query:"KeyType"`
	Format string                        `query:"KeyFormat"`
	Public string                        `query:"PublicKeyMaterial"`
	Tags   []launchspec.TagSpecification `query:"TagSpecification"`
}

// createKeyPair hands out no real key: there is nowhere to log in with it.
func (a belongings) createKeyPair(_ context.Context, _ *wire.Call, in *createKeyIn) (*keyXML, error) {
	if in.Public != "" {
		return nil, apierror.New("UnknownParameter", "The parameter PublicKeyMaterial is not recognized")
	}
	out, err := a.addKey(in, "simulated")
	if err == nil {
		out.Material = "-----BEGIN RSA PRIVATE KEY-----\nsimulated\n-----END RSA PRIVATE KEY-----"
	}
	return out, err
}

func (a belongings) importKeyPair(_ context.Context, _ *wire.Call, in *createKeyIn) (*keyXML, error) {
	if in.Public == "" {
		return nil, apierror.Missing("PublicKeyMaterial")
	}
	return a.addKey(in, in.Public)
}

func (a belongings) addKey(in *createKeyIn, material string) (*keyXML, error) {
	if err := world.CheckTags(in.Tags); err != nil {
		return nil, err
	}
	sum := sha1.Sum([]byte(in.Name + material))
	var parts []string
	for _, b := range sum {
		parts = append(parts, hex.EncodeToString([]byte{b}))
	}
	kind := in.Kind
	if kind == "" {
		kind = "rsa"
	}
	out := &keyXML{}
	return out, a.world.Do(func(s *world.State) error {
		if in.DryRun {
			return apierror.DryRun()
		}
		k, err := s.AddKeyPair(in.Name, kind, strings.Join(parts, ":"), launchspec.TagsFor(in.Tags, "key-pair"))
		if err == nil {
			*out = toKeyXML(k)
		}
		return err
	})
}

type keysIn struct {
	asked
	Names     []string `query:"KeyName"`
	IDs       []string `query:"KeyPairId"`
	PublicKey bool     `query:"IncludePublicKey"`
}

type keysOut struct {
	Keys []keyXML `xml:"keySet>item"`
}

func (a belongings) describeKeyPairs(_ context.Context, _ *wire.Call, in *keysIn) (*keysOut, error) {
	if err := checkFilters(in.Filters, true, "key-pair-id", "fingerprint", "key-name"); err != nil {
		return nil, err
	}
	out := &keysOut{}
	return out, a.world.Do(func(s *world.State) error {
		names := append([]string(nil), in.Names...)
		for _, id := range in.IDs {
			k, err := s.KeyPair("", id)
			if err != nil {
				return err
			}
			names = append(names, k.Name)
		}
		kept, err := chosen(
			in.asked,
			names,
			s.KeyPairs,
			"InvalidKeyPair.NotFound",
			"The key pair '%s' does not exist",
			func(k *world.KeyPair) bool {
				return match(
					in.Filters,
					fields{"key-pair-id": one(k.ID), "fingerprint": one(k.Fingerprint), "key-name": one(k.Name)},
					k.Tags,
				)
			},
		)
		for _, k := range kept {
			out.Keys = append(out.Keys, toKeyXML(k))
		}
		return err
	})
}

type deleteKeyIn struct {
	DryRun bool
	Name   string `query:"KeyName"`
	ID     string `query:"KeyPairId"`
}

type deleteKeyOut struct {
	Return bool   `xml:"return"`
	ID     string `xml:"keyPairId,omitempty"`
}

// deleteKeyPair succeeds too when there is no such key, as in EC2.
func (a belongings) deleteKeyPair(_ context.Context, _ *wire.Call, in *deleteKeyIn) (*deleteKeyOut, error) {
	out := &deleteKeyOut{Return: true}
	return out, a.world.Do(func(s *world.State) error {
		if in.DryRun {
			return apierror.DryRun()
		}
		if k, err := s.KeyPair(in.Name, in.ID); err == nil {
			out.ID = k.ID
			delete(s.KeyPairs, k.Name)
		}
		return nil
	})
}
