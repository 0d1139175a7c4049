package ec2api

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// template is a launch template in EC2's XML.
type template struct {
	CreatedBy  string           `xml:"createdBy"`
	CreateTime string           `xml:"createTime"`
	Default    int              `xml:"defaultVersionNumber"`
	Latest     int              `xml:"latestVersionNumber"`
	ID         string           `xml:"launchTemplateId"`
	Name       string           `xml:"launchTemplateName"`
	Tags       []launchspec.Tag `xml:"tagSet>item,omitempty"`
}

func templateXML(s *world.State, t *world.Template) template {
	return template{t.CreatedBy, stamp(t.Created), t.Default, t.Latest(), t.ID, t.Name, s.SeenTags(&t.Tags)}
}

type templateOut struct {
	Template template `xml:"launchTemplate"`
}

type createLaunchTemplateIn struct {
	DryRun      bool
	ClientToken string
	Name        string                        `query:"LaunchTemplateName"`
	Description string                        `query:"VersionDescription"`
	Data        *launchspec.Data              `query:"LaunchTemplateData"`
	Tags        []launchspec.TagSpecification `query:"TagSpecification"`
}

func (a *api) createLaunchTemplate(
	_ context.Context,
	c *wire.Call,
	in *createLaunchTemplateIn,
) (*templateOut, error) {
	switch {
	case in.Name == "":
		return nil, apierror.Missing("LaunchTemplateName")
	case in.Data == nil:
		return nil, apierror.Missing("LaunchTemplateData")
	}
	if err := world.CheckTags(append(slices.Clone(in.Tags), in.Data.TagSpecifications...)); err != nil {
		return nil, err
	}
	var out *templateOut
	err := a.world.Do(func(s *world.State) (err error) {
		if in.DryRun {
			return apierror.DryRun()
		}
		out, err = world.Once(s, c.Action, in.ClientToken, c.Fingerprint(), func() (*templateOut, error) {
			t, err := s.CreateTemplate(
				in.Name,
				in.Description,
				in.Data,
				launchspec.TagsFor(in.Tags, "launch-template"),
			)
			if err != nil {
				return nil, err
			}
			return &templateOut{templateXML(s, t)}, nil
		})
		return err
	})
	return out, err
}

type modifyTemplateIn struct {
	DryRun      bool
	ClientToken string
	ID          string `query:"LaunchTemplateId"`
	Name        string `query:"LaunchTemplateName"`
	Default     string `query:"SetDefaultVersion"`
}

func (a *api) modifyLaunchTemplate(_ context.Context, _ *wire.Call, in *modifyTemplateIn) (*templateOut, error) {
	out := &templateOut{}
	return out, a.world.Do(func(s *world.State) error {
		t, err := s.Template(in.ID, in.Name)
		if err != nil {
			return err
		}
		v, err := t.Version(in.Default)
		if err != nil {
			return err
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		t.Default = v.Number
		out.Template = templateXML(s, t)
		return nil
	})
}

type version struct {
	CreatedBy   string           `xml:"createdBy"`
	CreateTime  string           `xml:"createTime"`
	Default     bool             `xml:"defaultVersion"`
	Data        *launchspec.Data `xml:"launchTemplateData"`
	ID          string           `xml:"launchTemplateId"`
	Name        string           `xml:"launchTemplateName"`
	Description string           `xml:"versionDescription,omitempty"`
	Number      int              `xml:"versionNumber"`
}

func versionXML(v *world.TemplateVersion) version {
	t := v.Template
	return version{
		v.CreatedBy,
		stamp(v.Created),
		v.Number == t.Default,
		v.Data,
		t.ID,
		t.Name,
		v.Description,
		v.Number,
	}
}

type createVersionIn struct {
	DryRun      bool
	ClientToken string
	ID          string           `query:"LaunchTemplateId"`
	Name        string           `query:"LaunchTemplateName"`
	Description string           `query:"VersionDescription"`
	Data        *launchspec.Data `query:"LaunchTemplateData"`
}

type createVersionOut struct {
	Version version `xml:"launchTemplateVersion"`
}

func (a *api) createLaunchTemplateVersion(
	_ context.Context,
	c *wire.Call,
	in *createVersionIn,
) (*createVersionOut, error) {
	if in.Data == nil {
		return nil, apierror.Missing("LaunchTemplateData")
	}
	var out *createVersionOut
	err := a.world.Do(func(s *world.State) error {
		t, err := s.Template(in.ID, in.Name)
		if err != nil {
			return err
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		out, err = world.Once(s, c.Action, in.ClientToken, c.Fingerprint(), func() (*createVersionOut, error) {
			v, err := s.AddVersion(t, in.Description, in.Data)
			if err != nil {
				return nil, err
			}
			return &createVersionOut{versionXML(v)}, nil
		})
		return err
	})
	return out, err
}

type deleteLaunchTemplateIn struct {
	DryRun bool
	ID     string `query:"LaunchTemplateId"`
	Name   string `query:"LaunchTemplateName"`
}

func (a *api) deleteLaunchTemplate(
	_ context.Context,
	_ *wire.Call,
	in *deleteLaunchTemplateIn,
) (*templateOut, error) {
	out := &templateOut{}
	err := a.world.Do(func(s *world.State) error {
		t, err := s.Template(in.ID, in.Name)
		if err != nil {
			return err
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		out.Template = templateXML(s, t)
		s.DeleteTemplate(t)
		return nil
	})
	return out, err
}

type describeLaunchTemplatesIn struct {
	asked
	IDs   []string `query:"LaunchTemplateId"`
	Names []string `query:"LaunchTemplateName"`
}

type describeLaunchTemplatesOut struct {
	Templates []template `xml:"launchTemplates>item"`
	NextToken string     `xml:"nextToken,omitempty"`
}

func (a *api) describeLaunchTemplates(
	_ context.Context,
	_ *wire.Call,
	in *describeLaunchTemplatesIn,
) (*describeLaunchTemplatesOut, error) {
	if err := checkFilters(in.Filters, true, "create-time", "launch-template-name"); err != nil {
		return nil, err
	}
	out := &describeLaunchTemplatesOut{}
	err := a.world.Do(func(s *world.State) error {
		found, err := namedTemplates(s, in.IDs, in.Names)
		if err != nil {
			return err
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		var kept []*world.Template
		for _, t := range found {
			if match(
				in.Filters,
				fields{"create-time": one(stamp(t.Created)), "launch-template-name": one(t.Name)},
				s.SeenTags(&t.Tags),
			) {
				kept = append(kept, t)
			}
		}
		key := func(t *world.Template) string { return stamp(t.Created) + t.ID }
		kept, out.NextToken, err = page(in.asked, bounds{1, 200}, kept, key)
		for _, t := range kept {
			out.Templates = append(out.Templates, templateXML(s, t))
		}
		return err
	})
	return out, err
}

// namedTemplates returns those named, or all.
func namedTemplates(s *world.State, ids, names []string) ([]*world.Template, error) {
	if len(ids) == 0 && len(names) == 0 {
		return s.SeenTemplates(), nil
	}
	var out []*world.Template
	for _, id := range ids {
		t, err := s.SeenTemplate(id, "")
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	for _, name := range names {
		t, err := s.SeenTemplate("", name)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

type describeVersionsIn struct {
	asked
	ID       string   `query:"LaunchTemplateId"`
	Name     string   `query:"LaunchTemplateName"`
	Versions []string `query:"LaunchTemplateVersion"`
	Min      *int     `query:"MinVersion"`
	Max      *int     `query:"MaxVersion"`
}

type describeVersionsOut struct {
	Versions  []version `xml:"launchTemplateVersionSet>item"`
	NextToken string    `xml:"nextToken,omitempty"`
}

func (a *api) describeLaunchTemplateVersions(
	_ context.Context,
	_ *wire.Call,
	in *describeVersionsIn,
) (*describeVersionsOut, error) {
	if err := checkFilters(in.Filters, false, "image-id", "instance-type", "is-default-version"); err != nil {
		return nil, err
	}
	out := &describeVersionsOut{}
	err := a.world.Do(func(s *world.State) error {
		t, err := s.Template(in.ID, in.Name)
		if err != nil {
			return err
		}
		wanted := t.Versions
		if len(in.Versions) > 0 {
			wanted = nil
			for _, name := range in.Versions {
				v, err := t.Version(name)
				if err != nil {
					return err
				}
				wanted = append(wanted, v)
			}
		}
		var kept []*world.TemplateVersion
		for _, v := range wanted {
			known := fields{
				"image-id": one(v.Data.ImageID), "instance-type": one(v.Data.InstanceType),
				"is-default-version": one(strconv.FormatBool(v.Number == t.Default)),
			}
			inRange := (in.Min == nil || v.Number >= *in.Min) && (in.Max == nil || v.Number <= *in.Max)
			if inRange && match(in.Filters, known, nil) {
				kept = append(kept, v)
			}
		}
		if in.DryRun {
			return apierror.DryRun()
		}
		kept, out.NextToken, err = page(
			in.asked,
			bounds{1, 200},
			kept,
			func(v *world.TemplateVersion) string { return fmt.Sprintf("%08d", v.Number) },
		)
		for _, v := range kept {
			out.Versions = append(out.Versions, versionXML(v))
		}
		return err
	})
	return out, err
}
