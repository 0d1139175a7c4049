// Package stsapi answers STS: who a caller is, and short-lived credentials for
// a web identity. Any token and any role of the account are accepted.
package stsapi

import (
	"context"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

type api struct {
	world *world.World
	key   string // the access key of the credentials that are handed out
}

// New makes STS. accessKey is the key id of the credentials that
// it hands out.
func New(w *world.World, accessKey string) wire.API {
	a := &api{w, accessKey}
	return wire.API{
		Name:      wire.STS,
		Version:   "2011-06-15",
		Namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
		Actions: wire.Service{
			"GetCallerIdentity":         wire.Handle(a.identity),
			"AssumeRoleWithWebIdentity": wire.Handle(a.assume),
			"AssumeRole":                wire.Handle(a.assumeRole),
			"GetSessionToken":           wire.Handle(a.session),
			"GetAccessKeyInfo":          wire.Handle(a.keyInfo),
		},
	}
}

type identityOut struct {
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

func (a *api) identity(context.Context, *wire.Call, *struct{}) (*identityOut, error) {
	out := &identityOut{}
	return out, a.world.Do(func(s *world.State) error {
		out.Account, out.Arn = s.Account, s.Caller()
		out.UserID = s.CallerID()
		return nil
	})
}

type assumeIn struct {
	RoleArn          string
	RoleSessionName  string
	WebIdentityToken string
	DurationSeconds  int
	ProviderID       string `query:"ProviderId"`
	Policy           string
}

type assumeOut struct {
	Credentials granted
	User        assumedUser `xml:"AssumedRoleUser"`
	Subject     string      `xml:"SubjectFromWebIdentityToken"`
	Provider    string
}

func (a *api) assume(_ context.Context, _ *wire.Call, in *assumeIn) (*assumeOut, error) {
	_, role, found := strings.Cut(in.RoleArn, ":role/")
	switch {
	case !found:
		return nil, apierror.New("ValidationError", "%s is invalid: it must be the ARN of a role", in.RoleArn)
	case in.WebIdentityToken == "":
		return nil, apierror.New("InvalidIdentityToken", "The token must not be empty")
	}
	out := &assumeOut{Subject: "system:serviceaccount:kube-system:karpenter", Provider: "oidc"}
	return out, a.world.Do(func(s *world.State) error {
		out.Credentials = a.grant(s, in.DurationSeconds, time.Hour)
		out.User = assumedUser{assumedARN(s, role, in.RoleSessionName), "AROASIMULATED:" + in.RoleSessionName}
		return nil
	})
}
