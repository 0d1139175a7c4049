// Package eksapi answers EKS about the one cluster of the account: who may
// join it and come in. Add-ons are noted and run nothing; node groups and
// Fargate profiles there are none.
package eksapi

import (
	"context"
	"encoding/base64"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type api struct{ world *world.World }

// access has the operations about who may come into the cluster, addons those
// about what it is made of.
type (
	access struct{ *api }
	addons struct{ *api }
)

// New makes EKS.
func New(w *world.World) wire.API {
	a := &api{w}
	e, d := access{a}, addons{a}
	return wire.API{Name: wire.EKS, Routes: map[string]string{
		"GET /clusters":                                                               "ListClusters",
		"GET /clusters/{name}":                                                        "DescribeCluster",
		"GET /cluster-versions":                                                       "DescribeClusterVersions",
		"POST /clusters/{name}/update-config":                                         "UpdateClusterConfig",
		"GET /clusters/{name}/updates":                                                "ListUpdates",
		"GET /clusters/{name}/updates/{update}":                                       "DescribeUpdate",
		"GET /clusters/{name}/node-groups":                                            "ListNodegroups",
		"GET /clusters/{name}/node-groups/{group}":                                    "DescribeNodegroup",
		"GET /clusters/{name}/fargate-profiles":                                       "ListFargateProfiles",
		"GET /clusters/{name}/identity-provider-configs":                              "ListIdentityProviderConfigs",
		"GET /clusters/{name}/access-entries":                                         "ListAccessEntries",
		"POST /clusters/{name}/access-entries":                                        "CreateAccessEntry",
		"GET /clusters/{name}/access-entries/{principal}":                             "DescribeAccessEntry",
		"POST /clusters/{name}/access-entries/{principal}":                            "UpdateAccessEntry",
		"DELETE /clusters/{name}/access-entries/{principal}":                          "DeleteAccessEntry",
		"GET /clusters/{name}/access-entries/{principal}/access-policies":             "ListAssociatedAccessPolicies",
		"POST /clusters/{name}/access-entries/{principal}/access-policies":            "AssociateAccessPolicy",
		"DELETE /clusters/{name}/access-entries/{principal}/access-policies/{policy}": "DisassociateAccessPolicy",
		"GET /access-policies":                                                        "ListAccessPolicies",
		"GET /addons/supported-versions":                                              "DescribeAddonVersions",
		"GET /clusters/{name}/addons":                                                 "ListAddons",
		"POST /clusters/{name}/addons":                                                "CreateAddon",
		"GET /clusters/{name}/addons/{addon}":                                         "DescribeAddon",
		"POST /clusters/{name}/addons/{addon}/update":                                 "UpdateAddon",
		"DELETE /clusters/{name}/addons/{addon}":                                      "DeleteAddon",
		"GET /clusters/{name}/pod-identity-associations":                              "ListPodIdentityAssociations",
		"POST /clusters/{name}/pod-identity-associations":                             "CreatePodIdentityAssociation",
		"GET /clusters/{name}/pod-identity-associations/{id}":                         "DescribePodIdentityAssociation",
		"POST /clusters/{name}/pod-identity-associations/{id}":                        "UpdatePodIdentityAssociation",
		"DELETE /clusters/{name}/pod-identity-associations/{id}":                      "DeletePodIdentityAssociation",
		"GET /tags/{arn}":                                                             "ListTagsForResource",
		"POST /tags/{arn}":                                                            "TagResource",
		"DELETE /tags/{arn}":                                                          "UntagResource",
	}, Actions: wire.Service{
		"DescribeCluster": wire.Handle(a.describe),
		"ListClusters":    wire.Handle(a.list),

		"DescribeClusterVersions":     wire.Handle(d.versions),
		"UpdateClusterConfig":         wire.Handle(d.updateConfig),
		"ListUpdates":                 wire.Handle(d.listUpdates),
		"DescribeUpdate":              wire.Handle(d.describeUpdate),
		"ListNodegroups":              wire.Handle(none[nodegroups](a)),
		"DescribeNodegroup":           wire.Handle(d.describeNodegroup),
		"ListFargateProfiles":         wire.Handle(none[fargateProfiles](a)),
		"ListIdentityProviderConfigs": wire.Handle(none[identityConfigs](a)),

		"ListAccessEntries":            wire.Handle(e.listEntries),
		"CreateAccessEntry":            wire.Handle(e.createEntry),
		"DescribeAccessEntry":          wire.Handle(e.describeEntry),
		"UpdateAccessEntry":            wire.Handle(e.updateEntry),
		"DeleteAccessEntry":            wire.Handle(e.deleteEntry),
		"ListAccessPolicies":           wire.Handle(e.listPolicies),
		"ListAssociatedAccessPolicies": wire.Handle(e.associatedPolicies),
		"AssociateAccessPolicy":        wire.Handle(e.associatePolicy),
		"DisassociateAccessPolicy":     wire.Handle(e.disassociatePolicy),

		"DescribeAddonVersions": wire.Handle(d.addonVersions),
		"ListAddons":            wire.Handle(d.listAddons),
		"CreateAddon":           wire.Handle(d.createAddon),
		"DescribeAddon":         wire.Handle(d.describeAddon),
		"UpdateAddon":           wire.Handle(d.updateAddon),
		"DeleteAddon":           wire.Handle(d.deleteAddon),

		"ListPodIdentityAssociations":    wire.Handle(e.listAssociations),
		"CreatePodIdentityAssociation":   wire.Handle(e.createAssociation),
		"DescribePodIdentityAssociation": wire.Handle(e.describeAssociation),
		"UpdatePodIdentityAssociation":   wire.Handle(e.updateAssociation),
		"DeletePodIdentityAssociation":   wire.Handle(e.deleteAssociation),

		"ListTagsForResource": wire.Handle(d.listTags),
		"TagResource":         wire.Handle(d.tag),
		"UntagResource":       wire.Handle(d.untag),
	}}
}

type cluster struct {
	Name            string            `json:"name"`
	Arn             string            `json:"arn"`
	CreatedAt       float64           `json:"createdAt"`
	Version         string            `json:"version"`
	PlatformVersion string            `json:"platformVersion"`
	Endpoint        string            `json:"endpoint"`
	RoleArn         string            `json:"roleArn"`
	Status          string            `json:"status"`
	CA              authority         `json:"certificateAuthority"`
	Network         kubernetesNetwork `json:"kubernetesNetworkConfig"`
	VPC             vpcConfig         `json:"resourcesVpcConfig"`
	Identity        identity          `json:"identity"`
	Access          accessConfig      `json:"accessConfig"`
	Upgrade         upgradePolicy     `json:"upgradePolicy"`
	Tags            map[string]string `json:"tags"`
}

type identity struct {
	OIDC struct {
		Issuer string `json:"issuer"`
	} `json:"oidc"`
}

type accessConfig struct {
	Mode      string `json:"authenticationMode"`
	Bootstrap bool   `json:"bootstrapClusterCreatorAdminPermissions,omitempty"`
}

type upgradePolicy struct {
	Support string `json:"supportType"`
}

type authority struct {
	Data string `json:"data"` // base64 of the PEM
}

type kubernetesNetwork struct {
	ServiceIPv4CIDR string `json:"serviceIpv4Cidr"`
	IPFamily        string `json:"ipFamily"`
}

type vpcConfig struct {
	VPC           string   `json:"vpcId"`
	Subnets       []string `json:"subnetIds"`
	Groups        []string `json:"securityGroupIds"`
	ClusterGroup  string   `json:"clusterSecurityGroupId"`
	PublicAccess  bool     `json:"endpointPublicAccess"`
	PrivateAccess bool     `json:"endpointPrivateAccess"`
}

type describeOut struct {
	Cluster cluster `json:"cluster"`
}

func (a *api) describe(_ context.Context, c *wire.Call, _ *struct{}) (*describeOut, error) {
	out := &describeOut{}
	return out, a.onCluster(c, func(s *world.State) error {
		k := s.Cluster
		out.Cluster = cluster{
			Name:            k.Name,
			Arn:             s.ARN("eks", "cluster/"+k.Name),
			CreatedAt:       1.7e9,
			Version:         k.Version,
			PlatformVersion: "eks.1",
			Endpoint:        k.Endpoint,
			RoleArn:         s.ARN("iam", "role/eks-cluster"),
			Status:          "ACTIVE",
			CA:              authority{base64.StdEncoding.EncodeToString(k.CA)},
			Network:         kubernetesNetwork{k.ServiceCIDR, "ipv4"},
			VPC: vpcConfig{
				VPC:          s.VPC.ID,
				ClusterGroup: s.Groups[1].ID,
				PublicAccess: true,
				Groups:       []string{},
			},
			Access:  accessConfig{s.AuthMode, true},
			Upgrade: upgradePolicy{"EXTENDED"},
			Tags:    s.ClusterTags,
		}
		out.Cluster.Identity.OIDC.Issuer = s.Issuer()
		for _, n := range s.Subnets {
			out.Cluster.VPC.Subnets = append(out.Cluster.VPC.Subnets, n.ID)
		}
		return nil
	})
}

// onCluster runs act if a call names the account's cluster.
func (a *api) onCluster(c *wire.Call, act func(*world.State) error) error {
	return a.world.Do(func(s *world.State) error {
		if c.Path["name"] != s.Cluster.Name {
			return world.NotFound("No cluster found for name: %s.", c.Path["name"])
		}
		return act(s)
	})
}

type listOut struct {
	Clusters []string `json:"clusters"`
}

func (a *api) list(context.Context, *wire.Call, *struct{}) (*listOut, error) {
	out := &listOut{}
	return out, a.world.Do(func(s *world.State) error {
		out.Clusters = []string{s.Cluster.Name}
		return nil
	})
}
