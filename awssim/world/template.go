package world

import (
	"strconv"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/launchspec"
)

// Template is a launch template. Versions are numbered from 1; a deleted one
// leaves nil behind.
type Template struct {
	ID, Name  string
	CreatedBy string
	Created   time.Time
	Default   int
	Tags      []launchspec.Tag
	Versions  []*TemplateVersion

	made, deleted time.Time // to the nanosecond; deleted is zero while it exists
}

// TemplateVersion is one version's content. Instances share Data.
type TemplateVersion struct {
	Template    *Template
	Number      int
	Description string
	CreatedBy   string
	Created     time.Time
	Data        *launchspec.Data
}

// Latest is the highest version.
func (t *Template) Latest() int { return len(t.Versions) }

// Version finds a version by number, "$Latest" or "$Default".
func (t *Template) Version(version string) (*TemplateVersion, error) {
	n, err := strconv.Atoi(version)
	switch version {
	case "$Latest":
		n, err = t.Latest(), nil
	case "$Default", "":
		n, err = t.Default, nil
	}
	if err != nil {
		return nil, apierror.New(
			"InvalidLaunchTemplateId.VersionMalformed",
			"Could not parse the launch template version: %s",
			version,
		)
	}
	if n < 1 || n > len(t.Versions) {
		return nil, apierror.New("InvalidLaunchTemplateId.VersionNotFound",
			"Could not find the specified version %d for the launch template with ID %s.", n, t.ID)
	}
	return t.Versions[n-1], nil
}

// CreateTemplate makes a template with its first version.
func (s *State) CreateTemplate(
	name, description string,
	data *launchspec.Data,
	tags []launchspec.Tag,
) (*Template, error) {
	switch {
	case len(name) < 3 || len(name) > 128:
		return nil, apierror.New("InvalidLaunchTemplateName.MalformedException",
			"Invalid launch template name '%s'. It must have 3 to 128 characters.", name)
	case s.templateName[name] != nil:
		return nil, apierror.New(
			"InvalidLaunchTemplateName.AlreadyExistsException",
			"Launch template name already in use.",
		)
	}
	if err := checkUserData(data.UserData); err != nil {
		return nil, err
	}
	t := &Template{
		ID: s.id("lt"), Name: name, CreatedBy: s.Caller(), Created: s.Now.Truncate(time.Second),
		Default: 1, Tags: launchspec.SetTags(nil, tags), made: s.Now,
	}
	t.add(s, description, data)
	s.Templates[t.ID], s.templateName[name] = t, t
	return t, nil
}

// AddVersion gives a template a new version. The default stays.
func (s *State) AddVersion(t *Template, description string, data *launchspec.Data) (*TemplateVersion, error) {
	if err := checkUserData(data.UserData); err != nil {
		return nil, err
	}
	return t.add(s, description, data), nil
}

func (t *Template) add(s *State, description string, data *launchspec.Data) *TemplateVersion {
	v := &TemplateVersion{
		Template: t, Number: len(t.Versions) + 1, Description: description,
		CreatedBy: t.CreatedBy, Created: s.Now.Truncate(time.Second), Data: data,
	}
	t.Versions = append(t.Versions, v)
	return v
}

// DeleteTemplate removes a template. Instances launched from it stay.
func (s *State) DeleteTemplate(t *Template) {
	delete(s.Templates, t.ID)
	delete(s.templateName, t.Name)
	if t.deleted = s.Now; s.Lag > 0 {
		s.ghosts = append(s.ghosts, t)
	}
}

// Template finds a template by id or by name; exactly one must be given.
func (s *State) Template(id, name string) (*Template, error) {
	switch {
	case id == "" && name == "":
		return nil, apierror.New(
			"MissingParameter",
			"Either a launch template name or a launch template ID must be specified.",
		)
	case id != "" && name != "":
		return nil, apierror.New(
			"InvalidParameterCombination",
			"Either a launch template name or a launch template ID must be specified, not both.",
		)
	case id != "":
		if t := s.Templates[id]; t != nil {
			return t, nil
		}
		return nil, noTemplate(id)
	}
	if t := s.templateName[name]; t != nil {
		return t, nil
	}
	return nil, apierror.New("InvalidLaunchTemplateName.NotFoundException",
		"The specified launch template, with template name %s, does not exist.", name)
}

// noTemplate refuses an id that names no template.
func noTemplate(id string) error {
	if rest, ok := strings.CutPrefix(id, "lt-"); !ok || !isHex(rest) {
		return apierror.New("InvalidLaunchTemplateId.Malformed", "Invalid launch template id '%s'.", id)
	}
	return apierror.New(
		"InvalidLaunchTemplateId.NotFound",
		"The specified launch template, with template ID %s, does not exist.",
		id,
	)
}
