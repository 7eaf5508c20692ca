// Command schema writes the table of fields that Talos knows in a machine config, one version at a time, by
// reflection over the types of its own library, and merges such tables into the one that the crate embeds.
//
//	schema dump MINOR SOURCES        > table of the library version that this binary was built with
//	schema merge v1.8.json v1.9.json … > one table, each field with the minors that have it
//
// `regenerate` in this folder runs both for all versions; `regenerate --check` compares with what is checked in.
//
// A type is written as a short expression:
//
//	s b i u f     string, bool, signed and unsigned integer, float
//	any           anything
//	*T []T {}T    pointer, list, map with string keys
//	@Name         struct, listed under `types`
//	#Name         text with a syntax of its own (address, duration, size, …), `values` lists those of enumerations
//	%Name:T       list or map T that Talos merges by a rule of its own
//	=T            merged by replacement, not into what is there
//	!T            always taken from the patch when its parent is merged, even when the patch does not have it
package main

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
)

// field is one key of a struct. Since and Until are Talos minors, both inclusive.
type field struct {
	Name  string
	Type  string
	Since int
	Until int
}

func (f field) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer

	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode([]any{f.Name, f.Type, f.Since, f.Until})

	return text.Bytes(), err
}

func (f *field) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&f.Name, &f.Type, &f.Since, &f.Until})
}

// table is what is written. Documents have their kind for a name and a struct for a type; the kind of the document
// without a kind is empty. A field named `name` is part of a document's identity when its type starts with `&`.
type table struct {
	Minors    []int               `json:"minors"`
	Documents []field             `json:"documents"`
	Types     map[string][]field  `json:"types"`
	Values    map[string][]string `json:"values"`
}

func main() {
	var (
		result *table
		err    error
	)

	switch {
	case len(os.Args) == 4 && os.Args[1] == "dump":
		minor, convErr := strconv.Atoi(os.Args[2])
		if convErr != nil {
			fail(convErr)
		}

		result = dump(minor, kindsIn(os.Args[3]))
	case len(os.Args) > 2 && os.Args[1] == "merge":
		result, err = merge(os.Args[2:])
	default:
		err = fmt.Errorf("usage: schema dump MINOR SOURCES | schema merge FILE…")
	}

	if err != nil {
		fail(err)
	}

	if err = write(result); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// write prints one type per line, so that a change of Talos reads well in a diff.
func write(t *table) error {
	line := func(v any) string {
		var text bytes.Buffer

		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)

		if err := encoder.Encode(v); err != nil {
			fail(err)
		}

		return strings.TrimSpace(text.String())
	}

	lines := func(names []string, value func(string) any) string {
		sort.Strings(names)

		parts := make([]string, 0, len(names))
		for _, name := range names {
			parts = append(parts, line(name)+":"+line(value(name)))
		}

		return strings.Join(parts, ",\n")
	}

	documents := make([]string, 0, len(t.Documents))
	for _, document := range t.Documents {
		documents = append(documents, line(document))
	}

	_, err := fmt.Printf("{\"minors\":%s,\n\"documents\":[\n%s\n],\n\"types\":{\n%s\n},\n\"values\":{\n%s\n}}\n",
		line(t.Minors),
		strings.Join(documents, ",\n"),
		lines(keys(t.Types), func(name string) any { return t.Types[name] }),
		lines(keys(t.Values), func(name string) any { return t.Values[name] }),
	)

	return err
}

func keys[V any](m map[string]V) []string {
	result := make([]string, 0, len(m))
	for key := range m {
		result = append(result, key)
	}

	return result
}

type dumper struct {
	table

	minor int
	seen  map[reflect.Type]bool
}

func dump(minor int, kinds []string) *table {
	d := &dumper{
		table: table{Minors: []int{minor}, Types: map[string][]field{}, Values: map[string][]string{}},
		minor: minor,
		seen:  map[reflect.Type]bool{},
	}

	d.Documents = append(d.Documents, d.field("", d.expression(reflect.TypeFor[v1alpha1.Config]())))

	for _, kind := range kinds {
		document, ok := newDocument(kind)
		if !ok {
			continue
		}

		// The mark says that the name belongs to what tells two documents of the kind apart.
		mark := ""
		if _, named := document.(config.NamedDocument); named {
			mark = "&"
		}

		d.Documents = append(d.Documents, d.field(kind, mark+d.expression(reflect.TypeOf(document).Elem())))
	}

	return &d.table
}

var quoted = regexp.MustCompile(`"([A-Z][A-Za-z0-9]+)"`)

// kindsIn lists what may be a kind in the library's sources: the registry is internal to the library, so each word in
// quotes is tried, and those that decode are kinds.
func kindsIn(sources string) []string {
	words := map[string]bool{}

	err := filepath.WalkDir(filepath.Join(sources, "config", "types"), func(file string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}

		data, err := os.ReadFile(file)
		for _, match := range quoted.FindAllSubmatch(data, -1) {
			words[string(match[1])] = true
		}

		return err
	})
	if err != nil {
		fail(err)
	}

	kinds := keys(words)
	sort.Strings(kinds)

	return kinds
}

// newDocument makes a document of the kind by loading its header.
func newDocument(kind string) (config.Document, bool) {
	for _, header := range []string{
		"apiVersion: v1alpha1\nkind: " + kind + "\n",
		"apiVersion: v1alpha1\nkind: " + kind + "\nname: x\n",
	} {
		provider, err := configloader.NewFromBytes([]byte(header))
		if err == nil && len(provider.Documents()) == 1 {
			return provider.Documents()[0], true
		}
	}

	return nil, false
}

func (d *dumper) field(name, expression string) field {
	return field{Name: name, Type: expression, Since: d.minor, Until: d.minor}
}

type merger interface{ Merge(other any) error }

type newYAML interface {
	UnmarshalYAML(unmarshal func(any) error) error
}

func implements[T any](t reflect.Type) bool {
	wanted := reflect.TypeFor[T]()

	return t.Implements(wanted) || reflect.PointerTo(t).Implements(wanted)
}

func (d *dumper) expression(t reflect.Type) string {
	name := path.Base(t.PkgPath()) + "." + t.Name()

	switch name {
	case "x509.PEMEncodedCertificateAndKey":
		d.Types[name] = []field{d.field("crt", "#base64"), d.field("key", "#base64")}

		return "=@" + name
	case "x509.PEMEncodedCertificate":
		d.Types[name] = []field{d.field("crt", "#base64")}

		return "=@" + name
	case "x509.PEMEncodedKey":
		d.Types[name] = []field{d.field("key", "#base64")}

		return "=@" + name
	case "v1alpha1.Base64Bytes":
		return "#base64"
	case "v1alpha1.ArgValue", "meta.ArgValue":
		return "#arg"
	case "v1alpha1.Unstructured", "meta.Unstructured":
		return "{}any"
	case "time.Duration":
		return "#duration"
	case "url.URL", "meta.URL", "v1alpha1.Endpoint":
		return "#url"
	case "yaml.Node":
		return "any"
	}

	if implements[encoding.TextUnmarshaler](t) && t.Kind() != reflect.Pointer {
		return d.text(t, name)
	}

	switch t.Kind() {
	case reflect.Pointer:
		inner := d.expression(t.Elem())
		if strings.HasPrefix(inner, "=@x509") {
			return inner
		}

		return "*" + inner
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "s"
		}

		return d.rule(t, "[]"+d.expression(t.Elem()))
	case reflect.Map:
		return d.rule(t, "{}"+d.expression(t.Elem()))
	case reflect.Interface:
		return "any"
	case reflect.Struct:
		if implements[newYAML](t) {
			return "#" + name
		}

		d.structure(t, name)

		return "@" + name
	case reflect.String:
		return "s"
	case reflect.Bool:
		return "b"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if implements[newYAML](t) {
			return "#" + name
		}

		return "i"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if implements[newYAML](t) {
			return "#" + name
		}

		return "u"
	case reflect.Float32, reflect.Float64:
		return "f"
	default:
		fail(fmt.Errorf("no expression for %s", t))

		return ""
	}
}

// rule marks lists and maps that have a merge of their own.
func (d *dumper) rule(t reflect.Type, expression string) string {
	if t.Name() != "" && implements[merger](t) {
		return "%" + t.Name() + ":" + expression
	}

	return expression
}

func (d *dumper) text(t reflect.Type, name string) string {
	always := ""
	if implements[merger](t) && takesNothing(t) {
		always = "!"
	}

	switch name {
	case "netip.Addr", "meta.Addr", "network.Addr":
		return always + "#address"
	case "netip.Prefix", "meta.Prefix", "network.Prefix":
		return always + "#prefix"
	case "netip.AddrPort", "meta.AddrPort", "network.AddrPort":
		return always + "#endpoint"
	}

	if _, ok := d.Values[name]; !ok {
		if values := enumerate(t); len(values) > 0 {
			d.Values[name] = values
		}
	}

	return always + "#" + name
}

// takesNothing says whether merging a zero value clears what is there.
func takesNothing(t reflect.Type) (cleared bool) {
	defer func() {
		if recover() != nil {
			cleared = false
		}
	}()

	for _, sample := range []string{"1GiB", "10%", "10.0.0.0/8", "10.0.0.1", "10.0.0.1:80"} {
		value := reflect.New(t)

		if value.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(sample)) != nil || value.Elem().IsZero() {
			continue
		}

		if value.Interface().(merger).Merge(reflect.Zero(t).Interface()) != nil {
			return false
		}

		text, err := value.Interface().(encoding.TextMarshaler).MarshalText()

		return err != nil || string(text) != sample
	}

	return false
}

// enumerate lists the texts of an enumeration by asking each small number for its text.
func enumerate(t reflect.Type) (values []string) {
	// Numbers of VLAN protocols are as large as this. What takes more texts than `wide` is no enumeration.
	const (
		most = 1 << 16
		wide = 64
	)

	for i := range most {
		value := reflect.New(t)

		switch t.Kind() {
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
			if value.Elem().OverflowInt(int64(i)) {
				return values
			}

			value.Elem().SetInt(int64(i))
		case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			if value.Elem().OverflowUint(uint64(i)) {
				return values
			}

			value.Elem().SetUint(uint64(i))
		default:
			return nil
		}

		text, ok := textOf(value)
		if !ok || text == "" {
			continue
		}

		// The first entry is the text of zero, which a merge takes for nothing; empty where zero has none.
		if i > 0 && len(values) == 0 {
			values = append(values, "")
		}

		back := reflect.New(t)
		if back.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)) != nil {
			continue
		}

		if reflect.DeepEqual(back.Elem().Interface(), value.Elem().Interface()) && !slices.Contains(values, text) {
			values = append(values, text)
		}

		if len(values) > wide {
			return nil
		}
	}

	return values
}

func textOf(value reflect.Value) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()

	marshaler, ok := value.Interface().(encoding.TextMarshaler)
	if !ok {
		return "", false
	}

	data, err := marshaler.MarshalText()

	return string(data), err == nil
}

func (d *dumper) structure(t reflect.Type, name string) {
	if d.seen[t] {
		return
	}

	d.seen[t] = true
	d.Types[name] = d.fields(t)
}

func (d *dumper) fields(t reflect.Type) []field {
	fields := []field{}

	for i := range t.NumField() {
		f := t.Field(i)
		tag, hasTag := f.Tag.Lookup("yaml")
		key, options, _ := strings.Cut(tag, ",")

		switch {
		case key == "-":
			continue
		case strings.Contains(options, "inline") || (f.Anonymous && !hasTag):
			if f.Type.Kind() == reflect.Struct {
				fields = append(fields, d.fields(f.Type)...)
			}

			continue
		case !f.IsExported():
			continue
		case key == "":
			key = strings.ToLower(f.Name)
		}

		expression := d.expression(f.Type)
		if slices.Contains(strings.Split(f.Tag.Get("merge"), ","), "replace") {
			expression = "=" + strings.TrimPrefix(expression, "=")
		}

		fields = append(fields, d.field(key, expression))
	}

	return fields
}

var versionInName = regexp.MustCompile(`\d+`)

// merge puts tables of several minors into one. A field that is alike in successive minors is one entry.
func merge(files []string) (*table, error) {
	result := &table{Types: map[string][]field{}, Values: map[string][]string{}}

	slices.SortFunc(files, func(a, b string) int { return minorOf(a) - minorOf(b) })

	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}

		var one table
		if err = json.Unmarshal(data, &one); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}

		previous := 0
		if len(result.Minors) > 0 {
			previous = result.Minors[len(result.Minors)-1]
		}

		result.Minors = append(result.Minors, one.Minors...)
		result.Documents = extend(result.Documents, one.Documents, previous)

		for name, fields := range one.Types {
			result.Types[name] = extend(result.Types[name], fields, previous)
		}

		// Enumerations only ever grew: an old Talos that does not know a new value says so itself.
		for name, values := range one.Values {
			for _, value := range values {
				if !slices.Contains(result.Values[name], value) {
					result.Values[name] = append(result.Values[name], value)
				}
			}
		}
	}

	return result, nil
}

func minorOf(file string) int {
	numbers := versionInName.FindAllString(path.Base(file), -1)
	if len(numbers) == 0 {
		return 0
	}

	minor, _ := strconv.Atoi(numbers[len(numbers)-1]) //nolint:errcheck

	return minor
}

func extend(known, more []field, previous int) []field {
	if known == nil {
		known = []field{}
	}

	for _, f := range more {
		i := slices.IndexFunc(known, func(k field) bool {
			return k.Name == f.Name && k.Type == f.Type && k.Until == previous && previous != 0
		})
		if i >= 0 {
			known[i].Until = f.Until
		} else {
			known = append(known, f)
		}
	}

	return known
}
