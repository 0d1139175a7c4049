package ec2api

import (
	"cmp"
	"context"
	"slices"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// metadataXML is how an instance's metadata service is set, with EC2's
// defaults for what nobody said.
type metadataXML struct {
	State    string `xml:"state"`
	Tokens   string `xml:"httpTokens"`
	Hops     int    `xml:"httpPutResponseHopLimit"`
	Endpoint string `xml:"httpEndpoint"`
	IPv6     string `xml:"httpProtocolIpv6"`
	Tags     string `xml:"instanceMetadataTags"`
}

func metadataOf(in *world.Instance) metadataXML {
	said := launchspec.Metadata{}
	if in.Data.MetadataOptions != nil {
		said = *in.Data.MetadataOptions
	}
	if in.Metadata != nil {
		said = *in.Metadata
	}
	out := metadataXML{
		State:    "applied",
		Tokens:   cmp.Or(said.HTTPTokens, "optional"),
		Hops:     1,
		Endpoint: cmp.Or(said.HTTPEndpoint, "enabled"),
		IPv6:     cmp.Or(said.HTTPProtocolIPv6, "disabled"),
		Tags:     cmp.Or(said.InstanceMetadataTags, "disabled"),
	}
	if said.HTTPPutResponseHopLimit != nil {
		out.Hops = *said.HTTPPutResponseHopLimit
	}
	return out
}

type modifyMetadataIn struct {
	DryRun     bool
	InstanceID string `query:"InstanceId"`
	launchspec.Metadata
}

type modifyMetadataOut struct {
	InstanceID string      `xml:"instanceId"`
	Options    metadataXML `xml:"instanceMetadataOptions"`
}

func (a machines) modifyMetadataOptions(
	_ context.Context,
	_ *wire.Call,
	in *modifyMetadataIn,
) (*modifyMetadataOut, error) {
	for _, check := range []struct {
		name, value string
		allowed     []string
	}{
		{"HttpTokens", in.HTTPTokens, []string{"optional", "required"}},
		{"HttpEndpoint", in.HTTPEndpoint, []string{"enabled", "disabled"}},
		{"HttpProtocolIpv6", in.HTTPProtocolIPv6, []string{"enabled", "disabled"}},
		{"InstanceMetadataTags", in.InstanceMetadataTags, []string{"enabled", "disabled"}},
	} {
		if check.value != "" && !slices.Contains(check.allowed, check.value) {
			return nil, apierror.Invalid("Invalid value '%s' for %s.", check.value, check.name)
		}
	}
	if hops := in.HTTPPutResponseHopLimit; hops != nil && (*hops < 1 || *hops > 64) {
		return nil, apierror.Invalid("HttpPutResponseHopLimit must be from 1 to 64, got %d.", *hops)
	}
	out := &modifyMetadataOut{InstanceID: in.InstanceID}
	err := a.world.Do(func(s *world.State) error {
		one, err := s.Instance(in.InstanceID)
		if err != nil || in.DryRun {
			return cmp.Or(err, error(apierror.DryRun()))
		}
		now := metadataOf(one)
		one.Metadata = &launchspec.Metadata{
			HTTPTokens: cmp.Or(in.HTTPTokens, now.Tokens), HTTPEndpoint: cmp.Or(in.HTTPEndpoint, now.Endpoint),
			HTTPProtocolIPv6:        cmp.Or(in.HTTPProtocolIPv6, now.IPv6),
			InstanceMetadataTags:    cmp.Or(in.InstanceMetadataTags, now.Tags),
			HTTPPutResponseHopLimit: cmp.Or(in.HTTPPutResponseHopLimit, &now.Hops),
		}
		out.Options = metadataOf(one)
		return nil
	})
	return out, err
}
