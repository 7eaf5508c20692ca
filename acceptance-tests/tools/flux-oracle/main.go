// Command flux-oracle says what Flux 2.9's controllers make of a Flux Kustomization, and of a HelmRelease's values, with their
// own code.
//
// Without arguments it reads one JSON job per line from standard input and writes one JSON answer per line to standard output,
// so that hundreds of cases run in one process:
//
//	{"id": "any", "source": "/checkout", "ignore": "spec.ignore of the source",
//	 "kustomization": "the Flux Kustomization, YAML in a string or a JSON object",
//	 "objects": "ConfigMaps and Secrets of the cluster, YAML in a string or a JSON list of objects",
//	 "strict": true}
//
// Only `source` and `kustomization` are needed. An answer is {"id": "any", "objects": [...]}, the objects in the order of the
// build, or {"id": "any", "error": "..."}. `source` is copied before anything is written.
//
// A job with a HelmRelease instead of a source asks for the values that helm-controller composes of `valuesFrom` and `values`:
//
//	{"id": "any", "release": "the HelmRelease", "objects": "as above"}
//
// Its answer is {"id": "any", "values": {...}, "integers": ["/path", ...]}, with the paths of numbers that are no floats.
//
// `flux-oracle walk TREE [CLUSTER…]` builds whole clusters of the GitOps repository TREE: the root that the FluxInstance of
// flux/clusters/CLUSTER makes, then every Flux Kustomization that a build holds. It prints what each build gives and fails
// where one does not build; `-objects` prints the objects themselves, as JSON lines.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

type request struct {
	ID            json.RawMessage `json:"id,omitempty"`
	Source        string          `json:"source"`
	Ignore        string          `json:"ignore"`
	Kustomization json.RawMessage `json:"kustomization"`
	Release       json.RawMessage `json:"release"`
	Objects       json.RawMessage `json:"objects"`
	Strict        *bool           `json:"strict"`
}

type answer struct {
	ID       json.RawMessage `json:"id,omitempty"`
	Objects  *[]any          `json:"objects,omitempty"`
	Values   *map[string]any `json:"values,omitempty"`
	Integers []string        `json:"integers,omitempty"`
	Error    string          `json:"error,omitempty"`
}

func main() {
	log.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	ctx := context.Background()
	var err error
	if len(os.Args) > 1 {
		err = command(ctx, os.Args[1], os.Args[2:])
	} else {
		err = answerLines(ctx, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "flux-oracle: %v\n", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, name string, arguments []string) error {
	if name != "walk" {
		return fmt.Errorf("there is no command `%s`: `walk TREE [CLUSTER…]`, or JSON jobs on standard input", name)
	}
	flags := flag.NewFlagSet("walk", flag.ContinueOnError)
	objects := flags.Bool("objects", false, "print the objects, one JSON line each, instead of counts")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("`walk` takes the GitOps repository's folder")
	}
	return walkTree(ctx, flags.Arg(0), flags.Args()[1:], *objects, os.Stdout)
}

func answerLines(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	answers := json.NewEncoder(out)
	answers.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 1 {
			if err := answers.Encode(answerLine(ctx, line)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func answerLine(ctx context.Context, line []byte) answer {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{Error: fmt.Sprintf("the job is not JSON: %v", err)}
	}
	if asked.Release != nil {
		values, integers, err := composeValues(ctx, asked)
		if err != nil {
			return answer{ID: asked.ID, Error: err.Error()}
		}
		return answer{ID: asked.ID, Values: &values, Integers: integers}
	}
	built, err := build(ctx, asked)
	if err != nil {
		return answer{ID: asked.ID, Error: err.Error()}
	}
	return answer{ID: asked.ID, Objects: &built}
}

func build(ctx context.Context, asked request) ([]any, error) {
	kustomization, err := oneObject(asked.Kustomization)
	if err != nil {
		return nil, fmt.Errorf("`kustomization`: %w", err)
	}
	objects, err := manyObjects(asked.Objects)
	if err != nil {
		return nil, fmt.Errorf("`objects`: %w", err)
	}
	it := job{source: asked.Source, ignore: asked.Ignore, kustomization: kustomization, objects: objects, strict: true}
	if asked.Strict != nil {
		it.strict = *asked.Strict
	}
	rendered, err := it.build(ctx)
	if err != nil {
		return nil, err
	}
	plain := make([]any, len(rendered))
	for i, object := range rendered {
		plain[i] = object.Object
	}
	return plain, nil
}
