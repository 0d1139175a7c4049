package eksapi

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// addonNames are the add-ons that EKS publishes and clusters mostly have.
var addonNames = []string{
	"aws-ebs-csi-driver",
	"aws-efs-csi-driver",
	"coredns",
	"eks-node-monitoring-agent",
	"eks-pod-identity-agent",
	"kube-proxy",
	"metrics-server",
	"vpc-cni",
}

const addonVersion = "v1.0.0-eksbuild.1"

type addon struct {
	Name          string            `json:"addonName"`
	Cluster       string            `json:"clusterName"`
	Status        string            `json:"status"`
	Version       string            `json:"addonVersion"`
	Health        health            `json:"health"`
	ARN           string            `json:"addonArn"`
	Created       float64           `json:"createdAt"`
	Modified      float64           `json:"modifiedAt"`
	Role          string            `json:"serviceAccountRoleArn,omitempty"`
	Configuration string            `json:"configurationValues,omitempty"`
	Tags          map[string]string `json:"tags"`
}

type health struct {
	Issues []struct{} `json:"issues"`
}

func addonJSON(s *world.State, a *world.Addon, status string) addon {
	return addon{
		a.Name,
		s.Cluster.Name,
		status,
		a.Version,
		health{[]struct{}{}},
		s.ARN("eks", "addon/"+s.Cluster.Name+"/"+a.Name),
		seconds(a.Created),
		seconds(a.Created),
		a.Role,
		a.Configuration,
		orEmpty(a.Tags),
	}
}

type addonOut struct {
	Addon addon `json:"addon"`
}

type addonIn struct {
	Name          string            `json:"addonName"`
	Version       string            `json:"addonVersion"`
	Role          string            `json:"serviceAccountRoleArn"`
	Configuration string            `json:"configurationValues"`
	Tags          map[string]string `json:"tags"`
}

func (a addons) createAddon(_ context.Context, c *wire.Call, in *addonIn) (*addonOut, error) {
	if !slices.Contains(addonNames, in.Name) {
		return nil, apierror.New(
			"InvalidParameterException",
			"Addon %s specified is not simulated: know %s.",
			in.Name,
			strings.Join(addonNames, ", "),
		)
	}
	out := &addonOut{}
	return out, a.onCluster(c, func(s *world.State) error {
		one, err := s.AddAddon(
			world.Addon{
				Name:          in.Name,
				Version:       in.Version,
				Role:          in.Role,
				Configuration: in.Configuration,
				Tags:          in.Tags,
			},
		)
		if err == nil {
			out.Addon = addonJSON(s, one, "CREATING")
		}
		return err
	})
}

// onAddon runs act on the add-on that a call names.
func (a addons) onAddon(c *wire.Call, act func(*world.State, *world.Addon) error) error {
	return a.onCluster(c, func(s *world.State) error {
		one := s.Addons[c.Path["addon"]]
		if one == nil {
			return world.NotFound("No addon: %s found in cluster: %s", c.Path["addon"], s.Cluster.Name)
		}
		return act(s, one)
	})
}

func (a addons) describeAddon(_ context.Context, c *wire.Call, _ *struct{}) (*addonOut, error) {
	out := &addonOut{}
	return out, a.onAddon(c, func(s *world.State, one *world.Addon) error {
		out.Addon = addonJSON(s, one, "ACTIVE")
		return nil
	})
}

func (a addons) updateAddon(_ context.Context, c *wire.Call, in *addonIn) (*updateOut, error) {
	out := &updateOut{}
	return out, a.onAddon(c, func(s *world.State, one *world.Addon) error {
		if in.Version != "" {
			one.Version = in.Version
		}
		if in.Role != "" {
			one.Role = in.Role
		}
		if in.Configuration != "" {
			one.Configuration = in.Configuration
		}
		out.Update = updateJSON(s.AddUpdate("AddonUpdate", map[string]string{"AddonVersion": one.Version}))
		return nil
	})
}

func (a addons) deleteAddon(_ context.Context, c *wire.Call, _ *struct{}) (*addonOut, error) {
	out := &addonOut{}
	return out, a.onAddon(c, func(s *world.State, one *world.Addon) error {
		out.Addon = addonJSON(s, one, "DELETING")
		delete(s.Addons, one.Name)
		return nil
	})
}

type addonsOut struct {
	Addons []string `json:"addons"`
}

func (a addons) listAddons(_ context.Context, c *wire.Call, _ *struct{}) (*addonsOut, error) {
	out := &addonsOut{}
	return out, a.onCluster(c, func(s *world.State) error {
		out.Addons = append([]string{}, slices.Sorted(maps.Keys(s.Addons))...)
		return nil
	})
}

type addonInfo struct {
	Name     string             `json:"addonName"`
	Kind     string             `json:"type"`
	Versions []addonVersionInfo `json:"addonVersions"`
	Owner    string             `json:"owner"`
}

type addonVersionInfo struct {
	Version         string          `json:"addonVersion"`
	Architecture    []string        `json:"architecture"`
	Compatibilities []compatibility `json:"compatibilities"`
}

type compatibility struct {
	Cluster  string   `json:"clusterVersion"`
	Platform []string `json:"platformVersions"`
	Default  bool     `json:"defaultVersion"`
}

type addonVersionsOut struct {
	Addons []addonInfo `json:"addons"`
}

// addonVersions tells one version of each add-on, for the cluster's Kubernetes.
func (a addons) addonVersions(_ context.Context, c *wire.Call, _ *struct{}) (*addonVersionsOut, error) {
	out := &addonVersionsOut{Addons: []addonInfo{}}
	return out, a.world.Do(func(s *world.State) error {
		for _, name := range addonNames {
			if wanted := c.Query.Get("addonName"); wanted != "" && wanted != name {
				continue
			}
			out.Addons = append(out.Addons, addonInfo{name, "networking", []addonVersionInfo{{
				addonVersion, []string{"amd64", "arm64"}, []compatibility{{s.Cluster.Version, []string{"*"}, true}},
			}}, "aws"})
		}
		return nil
	})
}

type update struct {
	ID      string        `json:"id"`
	Status  string        `json:"status"`
	Kind    string        `json:"type"`
	Params  []updateParam `json:"params"`
	Created float64       `json:"createdAt"`
	Errors  []struct{}    `json:"errors"`
}

type updateParam struct {
	Kind  string `json:"type"`
	Value string `json:"value"`
}

type updateOut struct {
	Update update `json:"update"`
}

func updateJSON(u *world.ClusterUpdate) update {
	out := update{u.ID, "Successful", u.Kind, []updateParam{}, seconds(u.Created), []struct{}{}}
	for _, kind := range slices.Sorted(maps.Keys(u.Params)) {
		out.Params = append(out.Params, updateParam{kind, u.Params[kind]})
	}
	return out
}

type configIn struct {
	Access *struct {
		Mode string `json:"authenticationMode"`
	} `json:"accessConfig"`
	VPC *struct {
		PublicAccess  *bool `json:"endpointPublicAccess"`
		PrivateAccess *bool `json:"endpointPrivateAccess"`
	} `json:"resourcesVpcConfig"`
	Logging any `json:"logging"`
}

// updateConfig changes how principals are let in. Nothing else of a cluster's
// configuration changes anything here.
func (a addons) updateConfig(_ context.Context, c *wire.Call, in *configIn) (*updateOut, error) {
	out := &updateOut{}
	return out, a.onCluster(c, func(s *world.State) error {
		if in.Access == nil {
			return apierror.New(
				"InvalidParameterException",
				"Only accessConfig can be changed: the rest of a cluster's configuration is not simulated.",
			)
		}
		order := []string{world.AuthMap, world.AuthBoth, world.AuthAPI}
		from, to := slices.Index(order, s.AuthMode), slices.Index(order, in.Access.Mode)
		switch {
		case to < 0:
			return apierror.New(
				"InvalidParameterException",
				"Unsupported authentication mode %s: want one of %s.",
				in.Access.Mode,
				strings.Join(order, ", "),
			)
		case to == from:
			return apierror.New(
				"InvalidRequestException",
				"Unsupported authentication mode update from %s to %s",
				s.AuthMode,
				in.Access.Mode,
			)
		case to < from:
			return apierror.New(
				"InvalidParameterException",
				"Unsupported authentication mode update from %s to %s",
				s.AuthMode,
				in.Access.Mode,
			)
		}
		s.AuthMode = in.Access.Mode
		out.Update = updateJSON(
			s.AddUpdate("AccessConfigUpdate", map[string]string{"AuthenticationMode": s.AuthMode}),
		)
		out.Update.Status = "InProgress"
		return nil
	})
}

func (a addons) describeUpdate(_ context.Context, c *wire.Call, _ *struct{}) (*updateOut, error) {
	out := &updateOut{}
	return out, a.onCluster(c, func(s *world.State) error {
		u := s.Updates[c.Path["update"]]
		if u == nil {
			return world.NotFound("No update found for ID: %s", c.Path["update"])
		}
		out.Update = updateJSON(u)
		return nil
	})
}

type updatesOut struct {
	IDs []string `json:"updateIds"`
}

func (a addons) listUpdates(_ context.Context, c *wire.Call, _ *struct{}) (*updatesOut, error) {
	out := &updatesOut{}
	return out, a.onCluster(c, func(s *world.State) error {
		out.IDs = append([]string{}, slices.Sorted(maps.Keys(s.Updates))...)
		return nil
	})
}

// Lists of what the cluster has none of.
type (
	nodegroups struct {
		Names []string `json:"nodegroups"`
	}
	fargateProfiles struct {
		Names []string `json:"fargateProfileNames"`
	}
	identityConfigs struct {
		Configs []struct{} `json:"identityProviderConfigs"`
	}
)

// none lists nothing, if a call names the account's cluster.
func none[Out nodegroups | fargateProfiles | identityConfigs](
	a *api,
) func(context.Context, *wire.Call, *struct{}) (any, error) {
	return func(_ context.Context, c *wire.Call, _ *struct{}) (any, error) {
		var out any
		switch any(*new(Out)).(type) {
		case nodegroups:
			out = nodegroups{[]string{}}
		case fargateProfiles:
			out = fargateProfiles{[]string{}}
		case identityConfigs:
			out = identityConfigs{[]struct{}{}}
		}
		return out, a.onCluster(c, func(*world.State) error { return nil })
	}
}

func (a addons) describeNodegroup(_ context.Context, c *wire.Call, _ *struct{}) (any, error) {
	return nil, a.onCluster(c, func(s *world.State) error {
		return world.NotFound("No node group found for name: %s.", c.Path["group"])
	})
}

type clusterVersion struct {
	Version  string `json:"clusterVersion"`
	Type     string `json:"clusterType"`
	Platform string `json:"defaultPlatformVersion"`
	Default  bool   `json:"defaultVersion"`
	Status   string `json:"status"`
	Support  string `json:"versionStatus"`
}

type versionsOut struct {
	Versions []clusterVersion `json:"clusterVersions"`
}

// versions lists the Kubernetes versions that have images, newest first.
func (a addons) versions(_ context.Context, c *wire.Call, _ *struct{}) (*versionsOut, error) {
	out := &versionsOut{Versions: []clusterVersion{}}
	return out, a.world.Do(func(s *world.State) error {
		wanted := c.Query["clusterVersions"]
		for minor := world.LastMinor; minor >= world.FirstMinor; minor-- {
			v := fmt.Sprintf("1.%d", minor)
			if len(wanted) == 0 || slices.Contains(wanted, v) {
				out.Versions = append(
					out.Versions,
					clusterVersion{
						v,
						"eks",
						"eks.1",
						minor == world.LastMinor,
						"standard-support",
						"STANDARD_SUPPORT",
					},
				)
			}
		}
		return nil
	})
}

type tagsOut struct {
	Tags map[string]string `json:"tags"`
}

// tagsOf finds the tags of the cluster, an access entry, an add-on or an association by ARN.
func tagsOf(s *world.State, arn string) (map[string]string, error) {
	if arn == s.ARN("eks", "cluster/"+s.Cluster.Name) {
		return s.ClusterTags, nil
	}
	for _, e := range s.AccessEntries {
		if entryJSON(s, e).ARN == arn {
			e.Tags = orEmpty(e.Tags)
			return e.Tags, nil
		}
	}
	for _, one := range s.Addons {
		if addonJSON(s, one, "").ARN == arn {
			one.Tags = orEmpty(one.Tags)
			return one.Tags, nil
		}
	}
	for _, p := range s.Associations {
		if podIdentityJSON(s, p).ARN == arn {
			p.Tags = orEmpty(p.Tags)
			return p.Tags, nil
		}
	}
	return nil, apierror.WithStatus(404, "NotFoundException", "The resource %s is not found.", arn)
}

func (a addons) listTags(_ context.Context, c *wire.Call, _ *struct{}) (*tagsOut, error) {
	out := &tagsOut{}
	return out, a.world.Do(func(s *world.State) error {
		tags, err := tagsOf(s, c.Path["arn"])
		out.Tags = maps.Clone(tags)
		return err
	})
}

func (a addons) tag(_ context.Context, c *wire.Call, in *tagsOut) (*struct{}, error) {
	return &struct{}{}, a.world.Do(func(s *world.State) error {
		tags, err := tagsOf(s, c.Path["arn"])
		if err == nil {
			maps.Copy(tags, in.Tags)
		}
		return err
	})
}

func (a addons) untag(_ context.Context, c *wire.Call, _ *struct{}) (*struct{}, error) {
	return &struct{}{}, a.world.Do(func(s *world.State) error {
		tags, err := tagsOf(s, c.Path["arn"])
		if err == nil {
			maps.DeleteFunc(tags, func(key, _ string) bool { return slices.Contains(c.Query["tagKeys"], key) })
		}
		return err
	})
}
