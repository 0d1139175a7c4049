package ec2api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// Volumes are those that instances were launched with; there are no others.

type volumesIn struct {
	asked
	IDs                     []string `query:"VolumeId"`
	IncludeManagedResources bool
}

type volumeXML struct {
	ID          string             `xml:"volumeId"`
	Size        int                `xml:"size"`
	Snapshot    string             `xml:"snapshotId"`
	Zone        string             `xml:"availabilityZone"`
	ZoneID      string             `xml:"availabilityZoneId"`
	Status      string             `xml:"status"`
	Created     string             `xml:"createTime"`
	Attachments []volumeAttachment `xml:"attachmentSet>item"`
	Tags        []launchspec.Tag   `xml:"tagSet>item,omitempty"`
	Kind        string             `xml:"volumeType"`
	IOPS        int                `xml:"iops,omitempty"`
	Throughput  int                `xml:"throughput,omitempty"`
	Encrypted   bool               `xml:"encrypted"`
	Key         string             `xml:"kmsKeyId,omitempty"`
	MultiAttach bool               `xml:"multiAttachEnabled"`
}

type volumeAttachment struct {
	Volume   string `xml:"volumeId"`
	Instance string `xml:"instanceId"`
	Device   string `xml:"device"`
	Status   string `xml:"status"`
	Since    string `xml:"attachTime"`
	Delete   bool   `xml:"deleteOnTermination"`
}

type volumesOut struct {
	Volumes   []volumeXML `xml:"volumeSet>item"`
	NextToken string      `xml:"nextToken,omitempty"`
}

// volumesOf lists the volumes of an instance that has not ended.
func volumesOf(in *world.Instance) []volumeXML {
	if !in.Address.IsValid() {
		return nil
	}
	devices := in.Data.BlockDevices
	if len(devices) == 0 {
		devices = []launchspec.BlockDevice{{DeviceName: in.Image.RootDevice}}
	}
	suffix := strings.TrimPrefix(in.ID, "i-")
	var out []volumeXML
	for i, d := range devices {
		ebs := launchspec.EBS{}
		if d.Ebs != nil {
			ebs = *d.Ebs
		}
		v := volumeXML{
			ID: fmt.Sprintf(
				"vol-%s%x",
				suffix[:16],
				i%16,
			),
			Size:     in.Image.SizeGiB,
			Snapshot: ebs.SnapshotID,
			Zone:     in.Subnet.Zone.Name,
			ZoneID:   in.Subnet.Zone.ID,
			Status:   "in-use",
			Created:  stamp(in.Launched),
			Kind:     cmp.Or(ebs.VolumeType, "gp3"),
			Tags: launchspec.TagsFor(
				in.Data.TagSpecifications,
				"volume",
			),
			Encrypted: ebs.Encrypted != nil && *ebs.Encrypted,
			Key:       ebs.KmsKeyID,
			IOPS:      3000,
		}
		v.Size, v.IOPS = said(ebs.VolumeSize, v.Size), said(ebs.Iops, v.IOPS)
		if v.Kind == "gp3" {
			v.Throughput = said(ebs.Throughput, 125)
		}
		keep := ebs.DeleteOnTermination != nil && !*ebs.DeleteOnTermination
		v.Attachments = []volumeAttachment{{v.ID, in.ID, d.DeviceName, "attached", v.Created, !keep}}
		out = append(out, v)
	}
	return out
}

// said is what a launch says, or the default.
func said(value *int, otherwise int) int {
	if value != nil {
		return *value
	}
	return otherwise
}

func (a belongings) describeVolumes(_ context.Context, _ *wire.Call, in *volumesIn) (*volumesOut, error) {
	if err := checkFilters(
		in.Filters,
		true,
		"attachment.instance-id",
		"attachment.device",
		"attachment.status",
		"attachment.delete-on-termination",
		"availability-zone",
		"availability-zone-id",
		"encrypted",
		"size",
		"snapshot-id",
		"status",
		"volume-id",
		"volume-type",
	); err != nil {
		return nil, err
	}
	out := &volumesOut{}
	err := a.world.Do(func(s *world.State) error {
		all := map[string]volumeXML{}
		for _, one := range s.Instances {
			for _, v := range volumesOf(one) {
				all[v.ID] = v
			}
		}
		kept, err := chosen(
			in.asked,
			in.IDs,
			all,
			"InvalidVolume.NotFound",
			"The volume '%s' does not exist.",
			func(v volumeXML) bool {
				return match(in.Filters, v.fields(), v.Tags)
			},
		)
		if err != nil {
			return err
		}
		out.Volumes, out.NextToken, err = page(
			in.asked,
			bounds{5, 1000},
			kept,
			func(v volumeXML) string { return v.ID },
		)
		return err
	})
	return out, err
}

func (v volumeXML) fields() fields {
	at := v.Attachments[0]
	return fields{
		"attachment.instance-id": one(
			at.Instance,
		),
		"attachment.device": one(at.Device),
		"attachment.status": one(at.Status),
		"attachment.delete-on-termination": yesNo(
			at.Delete,
		),
		"availability-zone":    one(v.Zone),
		"availability-zone-id": one(v.ZoneID),
		"encrypted": yesNo(
			v.Encrypted,
		),
		"size":        number(v.Size),
		"snapshot-id": one(v.Snapshot),
		"status":      one(v.Status),
		"volume-id":   one(v.ID),
		"volume-type": one(v.Kind),
	}
}

// chosen returns what was named, or all, as far as it passes keep, ascending
// by id. Naming what does not exist is refused.
func chosen[T any](q asked, ids []string, all map[string]T, code, text string, keep func(T) bool) ([]T, error) {
	for _, id := range ids {
		if _, known := all[id]; !known {
			return nil, apierror.New(code, text, id)
		}
	}
	if q.DryRun {
		return nil, apierror.DryRun()
	}
	names := ids
	if len(ids) == 0 {
		for id := range all {
			names = append(names, id)
		}
	}
	names = slices.Clone(names)
	slices.Sort(names)
	var out []T
	for _, id := range slices.Compact(names) {
		if keep(all[id]) {
			out = append(out, all[id])
		}
	}
	return out, nil
}

type interfacesIn struct {
	asked
	IDs                     []string `query:"NetworkInterfaceId"`
	IncludeManagedResources bool
}

type interfaceXML struct {
	networkInterface
	Zone string           `xml:"availabilityZone"`
	Mac  string           `xml:"macAddress"`
	Tags []launchspec.Tag `xml:"tagSet>item,omitempty"`
}

type interfacesOut struct {
	Interfaces []interfaceXML `xml:"networkInterfaceSet>item"`
	NextToken  string         `xml:"nextToken,omitempty"`
}

func (a belongings) describeNetworkInterfaces(
	_ context.Context,
	_ *wire.Call,
	in *interfacesIn,
) (*interfacesOut, error) {
	if err := checkFilters(
		in.Filters,
		true,
		"attachment.instance-id",
		"attachment.status",
		"availability-zone",
		"group-id",
		"interface-type",
		"network-interface-id",
		"owner-id",
		"private-dns-name",
		"private-ip-address",
		"status",
		"subnet-id",
		"vpc-id",
	); err != nil {
		return nil, err
	}
	out := &interfacesOut{}
	err := a.world.Do(func(s *world.State) error {
		all := map[string]interfaceXML{}
		for _, one := range s.Instances {
			if one.Address.IsValid() {
				x := interfaceOf(s, one)
				all[x.ID] = x
			}
		}
		kept, err := chosen(
			in.asked,
			in.IDs,
			all,
			"InvalidNetworkInterfaceID.NotFound",
			"The networkInterface ID '%s' does not exist",
			func(x interfaceXML) bool { return match(in.Filters, x.fields(), x.Tags) },
		)
		if err != nil {
			return err
		}
		out.Interfaces, out.NextToken, err = page(
			in.asked,
			bounds{5, 1000},
			kept,
			func(x interfaceXML) string { return x.ID },
		)
		return err
	})
	return out, err
}

func interfaceOf(s *world.State, in *world.Instance) interfaceXML {
	described := instance{}
	attach(s, in, &described)
	b := in.Address.As4()
	ni := described.Interfaces[0]
	ni.Attachment.Instance, ni.Attachment.Owner = in.ID, s.Account
	return interfaceXML{
		networkInterface: ni, Zone: in.Subnet.Zone.Name,
		Mac:  fmt.Sprintf("02:00:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3]),
		Tags: launchspec.TagsFor(in.Data.TagSpecifications, "network-interface"),
	}
}

func (x interfaceXML) fields() fields {
	var groups []string
	for _, g := range x.Groups {
		groups = append(groups, g.ID)
	}
	return fields{
		"attachment.instance-id": one(
			x.Attachment.Instance,
		),
		"attachment.status": one(x.Attachment.Status),
		"availability-zone": one(x.Zone),
		"group-id": many(
			groups,
		),
		"interface-type":       one(x.Kind),
		"network-interface-id": one(x.ID),
		"owner-id":             one(x.Owner),
		"private-dns-name": one(
			x.DNS,
		),
		"private-ip-address": one(x.Address),
		"status":             one(x.Status),
		"subnet-id":          one(x.Subnet),
		"vpc-id":             one(x.VPC),
	}
}
