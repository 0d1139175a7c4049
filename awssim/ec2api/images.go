package ec2api

import (
	"context"
	"slices"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type imagesIn struct {
	asked
	IDs               []string `query:"ImageId"`
	Owners            []string `query:"Owner"`
	ExecutableBy      []string `query:"ExecutableBy"`
	IncludeDeprecated bool
	IncludeDisabled   bool
}

type imageXML struct {
	ID             string           `xml:"imageId"`
	Location       string           `xml:"imageLocation"`
	State          string           `xml:"imageState"`
	Owner          string           `xml:"imageOwnerId"`
	OwnerAlias     string           `xml:"imageOwnerAlias,omitempty"`
	Created        string           `xml:"creationDate"`
	Deprecated     string           `xml:"deprecationTime,omitempty"`
	Public         bool             `xml:"isPublic"`
	Arch           string           `xml:"architecture"`
	Kind           string           `xml:"imageType"`
	Platform       string           `xml:"platform,omitempty"`
	Details        string           `xml:"platformDetails"`
	Name           string           `xml:"name"`
	Description    string           `xml:"description,omitempty"`
	RootType       string           `xml:"rootDeviceType"`
	RootName       string           `xml:"rootDeviceName"`
	Devices        []imageDevice    `xml:"blockDeviceMapping>item"`
	Virtualization string           `xml:"virtualizationType"`
	Hypervisor     string           `xml:"hypervisor"`
	ENA            bool             `xml:"enaSupport"`
	Tags           []launchspec.Tag `xml:"tagSet>item,omitempty"`
}

type imageDevice struct {
	Name string         `xml:"deviceName"`
	EBS  launchspec.EBS `xml:"ebs"`
}

type imagesOut struct {
	Images    []imageXML `xml:"imagesSet>item"`
	NextToken string     `xml:"nextToken,omitempty"`
}

func imageToXML(im *world.Image) imageXML {
	size, yes := im.SizeGiB, true
	out := imageXML{
		ID:          im.ID,
		Location:    "amazon/" + im.Name,
		State:       "available",
		Owner:       im.Owner,
		OwnerAlias:  im.OwnerAlias,
		Created:     stamp(im.Created),
		Public:      true,
		Arch:        im.Arch,
		Kind:        "machine",
		Details:     "Linux/UNIX",
		Name:        im.Name,
		Description: im.Description,
		RootType:    "ebs",
		RootName:    im.RootDevice,
		Devices: []imageDevice{
			{im.RootDevice, launchspec.EBS{DeleteOnTermination: &yes, VolumeSize: &size, VolumeType: "gp2"}},
		},
		Virtualization: "hvm",
		Hypervisor:     "xen",
		ENA:            true,
		Tags:           im.Tags,
	}
	if !im.Deprecated.IsZero() {
		out.Deprecated = stamp(im.Deprecated)
	}
	if im.Windows {
		out.Platform, out.Details = "windows", "Windows"
	}
	return out
}

var imageFilters = []string{
	"architecture",
	"creation-date",
	"description",
	"image-id",
	"image-type",
	"is-public",
	"name",
	"owner-alias",
	"owner-id",
	"platform",
	"root-device-name",
	"root-device-type",
	"state",
	"virtualization-type",
	"hypervisor",
	"ena-support",
}

func (x imageXML) fields() fields {
	return fields{
		"architecture": one(
			x.Arch,
		),
		"creation-date": one(x.Created),
		"description":   one(x.Description),
		"image-id":      one(x.ID),
		"image-type": one(
			x.Kind,
		),
		"is-public":   yesNo(x.Public),
		"name":        one(x.Name),
		"owner-alias": one(x.OwnerAlias),
		"owner-id":    one(x.Owner),
		"platform": one(
			x.Platform,
		),
		"root-device-name":    one(x.RootName),
		"root-device-type":    one(x.RootType),
		"state":               one(x.State),
		"virtualization-type": one(x.Virtualization),
		"hypervisor":          one(x.Hypervisor),
		"ena-support":         yesNo(x.ENA),
	}
}

func (a *api) describeImages(_ context.Context, _ *wire.Call, in *imagesIn) (*imagesOut, error) {
	if err := checkFilters(in.Filters, true, imageFilters...); err != nil {
		return nil, err
	}
	out := &imagesOut{}
	err := a.world.Do(func(s *world.State) error {
		for _, id := range in.IDs {
			if _, err := s.Image(id); err != nil {
				return err
			}
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		var kept []imageXML
		for _, im := range s.Images {
			old := !im.Deprecated.IsZero() && s.Now.After(im.Deprecated)
			switch {
			case len(in.IDs) > 0 && !slices.Contains(in.IDs, im.ID),
				// A deprecated image is shown to others than its owner only
				// when asked for.
				old && !in.IncludeDeprecated && !slices.Contains(in.IDs, im.ID),
				len(in.Owners) > 0 && !in.ownedByAny(s, im):
				continue
			}
			if x := imageToXML(im); match(in.Filters, x.fields(), im.Tags) {
				kept = append(kept, x)
			}
		}
		var err error
		out.Images, out.NextToken, err = page(
			in.asked,
			bounds{5, 1000},
			kept,
			func(x imageXML) string { return x.ID },
		)
		return err
	})
	return out, err
}

func (in *imagesIn) ownedByAny(s *world.State, im *world.Image) bool {
	return slices.ContainsFunc(in.Owners, func(owner string) bool {
		if owner == "self" {
			owner = s.Account
		}
		return owner == im.Owner || owner == im.OwnerAlias
	})
}
