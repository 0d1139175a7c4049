// Package ecrapi answers ECR as far as one logs in and names a repository. No
// registry stands behind it: nothing can be pushed or pulled.
package ecrapi

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type api struct {
	world *world.World

	mu           sync.Mutex // guards repositories
	repositories map[string]repository
}

type repository struct {
	ARN        string  `json:"repositoryArn"`
	Registry   string  `json:"registryId"`
	Name       string  `json:"repositoryName"`
	URI        string  `json:"repositoryUri"`
	Created    float64 `json:"createdAt"`
	Mutability string  `json:"imageTagMutability"`
}

// New makes ECR.
func New(w *world.World) wire.API {
	a := &api{world: w, repositories: map[string]repository{}}
	return wire.API{Name: wire.ECR, Target: "AmazonEC2ContainerRegistry", Actions: wire.Service{
		"GetAuthorizationToken": wire.Handle(a.token),
		"CreateRepository":      wire.Handle(a.create),
		"DescribeRepositories":  wire.Handle(a.describe),
		"DeleteRepository":      wire.Handle(a.delete),
	}}
}

// NewPublic makes ECR Public, of which one only logs in.
func NewPublic(w *world.World) wire.API {
	a := &api{world: w}
	return wire.API{Name: wire.ECRPublic, Target: "SpencerFrontendService", Actions: wire.Service{
		"GetAuthorizationToken": wire.Handle(a.publicToken),
	}}
}

type authorization struct {
	Token   string  `json:"authorizationToken"`
	Expires float64 `json:"expiresAt"`
	Proxy   string  `json:"proxyEndpoint,omitempty"`
}

type tokenOut struct {
	Data []authorization `json:"authorizationData"`
}

type publicTokenOut struct {
	Data authorization `json:"authorizationData"`
}

// lasts is how long a token of ECR counts.
const lasts = 12 * time.Hour

func grant(s *world.State) authorization {
	return authorization{
		Token:   base64.StdEncoding.EncodeToString([]byte("AWS:simulated")),
		Expires: float64(s.Now.Add(lasts).UnixMilli()) / 1000,
	}
}

func host(s *world.State) string { return s.Account + ".dkr.ecr." + s.Region.Name + ".amazonaws.com" }

func (a *api) token(context.Context, *wire.Call, *struct{}) (*tokenOut, error) {
	out := &tokenOut{}
	return out, a.world.Do(func(s *world.State) error {
		one := grant(s)
		one.Proxy = "https://" + host(s)
		out.Data = []authorization{one}
		return nil
	})
}

func (a *api) publicToken(context.Context, *wire.Call, *struct{}) (*publicTokenOut, error) {
	out := &publicTokenOut{}
	return out, a.world.Do(func(s *world.State) error {
		out.Data = grant(s)
		return nil
	})
}

type repositoryIn struct {
	Name  string   `json:"repositoryName"`
	Names []string `json:"repositoryNames"`
	Force bool     `json:"force"`
}

type repositoryOut struct {
	Repository repository `json:"repository"`
}

func (a *api) create(_ context.Context, _ *wire.Call, in *repositoryIn) (*repositoryOut, error) {
	if in.Name == "" {
		return nil, apierror.New(
			"InvalidParameterException",
			"Invalid parameter at 'repositoryName' failed to satisfy constraint: it must not be empty",
		)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, exists := a.repositories[in.Name]; exists {
		return nil, apierror.New(
			"RepositoryAlreadyExistsException",
			"The repository with name '%s' already exists in the registry",
			in.Name,
		)
	}
	out := &repositoryOut{}
	return out, a.world.Do(func(s *world.State) error {
		out.Repository = repository{
			s.ARN(
				"ecr",
				"repository/"+in.Name,
			),
			s.Account,
			in.Name,
			host(s) + "/" + in.Name,
			float64(s.Now.UnixMilli()) / 1000,
			"MUTABLE",
		}
		a.repositories[in.Name] = out.Repository
		return nil
	})
}

func missing(name string) error {
	return apierror.New(
		"RepositoryNotFoundException",
		"The repository with name '%s' does not exist in the registry",
		name,
	)
}

type repositoriesOut struct {
	Repositories []repository `json:"repositories"`
}

func (a *api) describe(_ context.Context, _ *wire.Call, in *repositoryIn) (*repositoriesOut, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	names := in.Names
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(a.repositories))
	}
	out := &repositoriesOut{[]repository{}}
	for _, name := range names {
		one, exists := a.repositories[name]
		if !exists {
			return nil, missing(name)
		}
		out.Repositories = append(out.Repositories, one)
	}
	return out, nil
}

func (a *api) delete(_ context.Context, _ *wire.Call, in *repositoryIn) (*repositoryOut, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one, exists := a.repositories[in.Name]
	if !exists {
		return nil, missing(in.Name)
	}
	delete(a.repositories, in.Name)
	return &repositoryOut{one}, nil
}
