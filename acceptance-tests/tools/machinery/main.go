// Command machinery answers questions about Talos machine configs with Talos' own library.
//
// It reads one JSON request per line from standard input and writes one JSON answer per line to
// standard output, so that a test asks thousands of questions of one process:
//
//	{"op": "version"}
//	{"op": "secrets",  "contract": "v1.13"}
//	{"op": "generate", "contract": "v1.13", "secrets": {...}, "cluster": "c", "endpoint": "https://h:6443",
//	                   "kubernetes": "1.35.0", "role": "controlplane|worker", "sans": [], "disk": "", "image": "",
//	                   "pod_cidrs": [], "service_cidrs": []}
//	{"op": "generate", …, "count": 100}                     // the same that often, encoded with comments as talosctl does
//	                                                        // by default and without; "seconds" has both times
//	{"op": "load",     "config": "..."}                     // parse and validate as a cloud node does at boot
//	{"op": "patch",    "config": "...", "patches": ["..."]} // strategic merge or JSON patches, in order
//
// An answer is {"ok": true, "config": "...", "warnings": [...]} or {"ok": false, "error": "..."}.
// What `load`, `patch` and `generate` return is the config as Talos itself encodes it, without comments.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
)

const module = "github.com/siderolabs/talos/pkg/machinery"

type request struct {
	Op           string          `json:"op"`
	Contract     string          `json:"contract"`
	Secrets      *secrets.Bundle `json:"secrets"`
	Cluster      string          `json:"cluster"`
	Endpoint     string          `json:"endpoint"`
	Kubernetes   string          `json:"kubernetes"`
	Role         string          `json:"role"`
	SANs         []string        `json:"sans"`
	Disk         string          `json:"disk"`
	Image        string          `json:"image"`
	PodCIDRs     []string        `json:"pod_cidrs"`
	ServiceCIDRs []string        `json:"service_cidrs"`
	Config       string          `json:"config"`
	Patches      []string        `json:"patches"`
	Count        int             `json:"count"`
}

type answer struct {
	OK       bool            `json:"ok"`
	Error    string          `json:"error,omitempty"`
	Version  string          `json:"version,omitempty"`
	Config   string          `json:"config,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
	Seconds  []float64       `json:"seconds,omitempty"`
	Secrets  *secrets.Bundle `json:"secrets,omitempty"`
}

// cloud is the mode in which a node on a cloud validates: no installation is required, no container.
type cloud struct{}

func (cloud) String() string        { return "cloud" }
func (cloud) RequiresInstall() bool { return false }
func (cloud) InContainer() bool     { return false }

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 64<<20)

	out := bufio.NewWriter(os.Stdout)
	encode := json.NewEncoder(out)

	for in.Scan() {
		var (
			r request
			a answer
		)

		err := json.Unmarshal(in.Bytes(), &r)
		if err == nil {
			a, err = handle(&r)
		}

		if err != nil {
			a = answer{Error: err.Error()}
		} else {
			a.OK = true
		}

		if err = encode.Encode(a); err == nil {
			err = out.Flush()
		}

		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}

	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func handle(r *request) (a answer, err error) {
	// The library panics on some inputs; for the one who asks that is a refusal like any other.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()

	switch r.Op {
	case "version":
		return version()
	case "secrets":
		return makeSecrets(r)
	case "generate":
		return makeConfig(r)
	case "load":
		return load(r)
	case "patch":
		return patch(r)
	default:
		return a, fmt.Errorf("unknown op %q", r.Op)
	}
}

func version() (answer, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return answer{}, errors.New("no build information")
	}

	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return answer{Version: dependency.Version}, nil
		}
	}

	return answer{}, errors.New("the library is not among the dependencies")
}

func makeSecrets(r *request) (a answer, err error) {
	contract, err := config.ParseContractFromVersion(r.Contract)
	if err != nil {
		return a, err
	}

	a.Secrets, err = secrets.NewBundle(secrets.NewFixedClock(time.Now()), contract)

	return a, err
}

func makeConfig(r *request) (a answer, err error) {
	contract, err := config.ParseContractFromVersion(r.Contract)
	if err != nil {
		return a, err
	}

	if r.Secrets == nil {
		return a, errors.New("secrets are missing")
	}

	r.Secrets.Clock = secrets.NewFixedClock(time.Now())

	input, err := generate.NewInput(r.Cluster, r.Endpoint, strings.TrimPrefix(r.Kubernetes, "v"),
		generate.WithVersionContract(contract),
		generate.WithSecretsBundle(r.Secrets),
		generate.WithAdditionalSubjectAltNames(r.SANs),
		generate.WithInstallDisk(r.Disk),
		generate.WithInstallImage(r.Image),
	)
	if err != nil {
		return a, err
	}

	if len(r.PodCIDRs) > 0 {
		input.PodNet = r.PodCIDRs
	}

	if len(r.ServiceCIDRs) > 0 {
		input.ServiceNet = r.ServiceCIDRs
	}

	role, err := machine.ParseType(r.Role)
	if err != nil {
		return a, err
	}

	if r.Count > 0 {
		return measure(input, role, r.Count)
	}

	provider, err := input.Config(role)
	if err != nil {
		return a, err
	}

	return encodeConfig(provider)
}

func measure(input *generate.Input, role machine.Type, count int) (a answer, err error) {
	for _, flags := range []encoder.CommentsFlags{encoder.CommentsAll, encoder.CommentsDisabled} {
		start := time.Now()

		for range count {
			provider, err := input.Config(role)
			if err != nil {
				return a, err
			}

			if _, err = provider.EncodeBytes(encoder.WithComments(flags)); err != nil {
				return a, err
			}
		}

		a.Seconds = append(a.Seconds, time.Since(start).Seconds())
	}

	return a, nil
}

func load(r *request) (a answer, err error) {
	provider, err := configloader.NewFromBytes([]byte(r.Config))
	if err != nil {
		return a, err
	}

	warnings, err := provider.Validate(cloud{})
	if err != nil {
		return a, err
	}

	a, err = encodeConfig(provider)
	a.Warnings = warnings

	return a, err
}

func patch(r *request) (a answer, err error) {
	patches := make([]configpatcher.Patch, 0, len(r.Patches))

	for i, text := range r.Patches {
		loaded, err := configpatcher.LoadPatch([]byte(text))
		if err != nil {
			return a, fmt.Errorf("patch %d: %w", i, err)
		}

		patches = append(patches, loaded)
	}

	provider, err := configloader.NewFromBytes([]byte(r.Config))
	if err != nil {
		return a, err
	}

	output, err := configpatcher.Apply(configpatcher.WithConfig(provider), patches)
	if err != nil {
		return a, err
	}

	patched, err := output.Config()
	if err != nil {
		return a, err
	}

	return encodeConfig(patched)
}

func encodeConfig(provider config.Provider) (a answer, err error) {
	// A config that was loaded keeps its own bytes: a copy encodes afresh.
	text, err := provider.Clone().EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
	a.Config = string(text)

	return a, err
}
