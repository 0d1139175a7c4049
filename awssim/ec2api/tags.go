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

type createTagsIn struct {
	DryRun    bool
	Resources []string         `query:"ResourceId"`
	Tags      []launchspec.Tag `query:"Tag"`
}

func (a *api) createTags(_ context.Context, c *wire.Call, in *createTagsIn) (*done, error) {
	if len(in.Resources) == 0 {
		return nil, apierror.Missing("resourceIdSet")
	}
	if len(in.Tags) == 0 {
		return nil, apierror.Missing("tagSet")
	}
	return &done{true}, a.world.Do(func(s *world.State) error {
		found, err := tagged(s, in.Resources)
		if err != nil || in.DryRun {
			return cmp.Or(err, error(apierror.DryRun()))
		}
		found, failure := reach(c, found)
		for _, t := range found {
			if err := t.Tag(in.Tags); err != nil {
				return err
			}
		}
		return failure
	})
}

type deleteTagsIn struct {
	DryRun    bool
	Resources []string `query:"ResourceId"`
	Tags      []struct {
		Key   string
		Value *string
	} `query:"Tag"`
}

func (a *api) deleteTags(_ context.Context, c *wire.Call, in *deleteTagsIn) (*done, error) {
	if len(in.Resources) == 0 {
		return nil, apierror.Missing("resourceIdSet")
	}
	return &done{true}, a.world.Do(func(s *world.State) error {
		found, err := tagged(s, in.Resources)
		if err != nil || in.DryRun {
			return cmp.Or(err, error(apierror.DryRun()))
		}
		found, failure := reach(c, found)
		for _, t := range found {
			if len(in.Tags) == 0 {
				t.Clear()
			}
			for _, tag := range in.Tags {
				t.Untag(tag.Key, tag.Value)
			}
		}
		return failure
	})
}

func tagged(s *world.State, ids []string) ([]world.Tagged, error) {
	var out []world.Tagged
	for _, id := range ids {
		t, err := s.Tagged(id)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

type tagDescription struct {
	ResourceID   string `xml:"resourceId"`
	ResourceType string `xml:"resourceType"`
	Key          string `xml:"key"`
	Value        string `xml:"value"`
}

type describeTagsOut struct {
	Tags      []tagDescription `xml:"tagSet>item"`
	NextToken string           `xml:"nextToken,omitempty"`
}

func (a *api) describeTags(_ context.Context, _ *wire.Call, in *asked) (*describeTagsOut, error) {
	if err := checkFilters(in.Filters, false, "key", "value", "resource-id", "resource-type"); err != nil {
		return nil, err
	}
	var all []tagDescription
	err := a.world.Do(func(s *world.State) error {
		for _, t := range s.AllTagged() {
			for _, tag := range s.SeenTags(t.Tags) {
				known := fields{
					"key":           one(tag.Key),
					"value":         one(tag.Value),
					"resource-id":   one(t.ID),
					"resource-type": one(t.Kind),
				}
				if match(in.Filters, known, nil) {
					all = append(all, tagDescription{t.ID, t.Kind, tag.Key, tag.Value})
				}
			}
		}
		return nil
	})
	if err != nil || in.DryRun {
		return nil, cmp.Or(err, error(apierror.DryRun()))
	}
	key := func(t tagDescription) string { return t.ResourceID + "\x00" + t.Key }
	slices.SortFunc(all, func(a, b tagDescription) int { return cmp.Compare(key(a), key(b)) })
	out := &describeTagsOut{}
	out.Tags, out.NextToken, err = page(*in, bounds{5, 1000}, all, key)
	return out, err
}
