//! XML answers as trees that can be looked into and changed.

use quick_xml::Reader;
use quick_xml::escape::{escape, unescape};
use quick_xml::events::{BytesStart, Event};

/// An element with its name as written, namespace prefix included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Node>,
}

/// What stands in an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// An element that holds only text.
    pub(crate) fn with_text(name: &str, text: &str) -> Self {
        Self { children: vec![Node::Text(text.to_owned())], ..Self::new(name) }
    }

    /// Adds a child that holds only text.
    #[must_use]
    pub(crate) fn leaf(mut self, name: &str, text: &str) -> Self {
        self.push(Self::with_text(name, text));
        self
    }

    /// Adds a child.
    #[must_use]
    pub(crate) fn node(mut self, child: Self) -> Self {
        self.push(child);
        self
    }

    /// Reads a document. `None` if it is not well-formed.
    pub(crate) fn parse(document: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(document).ok()?;
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        let close = |open: &mut Vec<Self>, element: Self, root: &mut Option<Self>| match open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => *root = Some(element),
        };
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => open.push(Self::from_start(&start)?),
                Event::Empty(start) => {
                    let element = Self::from_start(&start)?;
                    close(&mut open, element, &mut root);
                }
                Event::End(_) => {
                    let mut element = open.pop()?;
                    element.drop_layout();
                    close(&mut open, element, &mut root);
                }
                Event::Text(text) => {
                    if let Some(parent) = open.last_mut() {
                        parent.push_text(&text.xml10_content());
                    }
                }
                Event::CData(text) => {
                    if let Some(parent) = open.last_mut() {
                        parent.push_text(&text.xml10_content());
                    }
                }
                Event::GeneralRef(reference) => {
                    if let Some(parent) = open.last_mut() {
                        let entity = format!("&{};", reference.into_inner());
                        parent.push_text(&unescape(&entity).ok()?);
                    }
                }
                Event::Eof => return root,
                _ => {}
            }
        }
    }

    fn from_start(start: &BytesStart<'_>) -> Option<Self> {
        let mut element = Self::new(start.name().as_ref());
        for attribute in start.attributes() {
            let attribute = attribute.ok()?;
            element.attributes.push((attribute.key.as_ref().to_owned(), unescape(&attribute.value).ok()?.into_owned()));
        }
        Some(element)
    }

    fn push_text(&mut self, text: &str) {
        if let Some(Node::Text(before)) = self.children.last_mut() {
            before.push_str(text);
        } else {
            self.children.push(Node::Text(text.to_owned()));
        }
    }

    /// Blanks between elements are layout; blanks in an element without elements are its text.
    fn drop_layout(&mut self) {
        if self.children.iter().any(|child| matches!(child, Node::Element(_))) {
            self.children.retain(|child| !matches!(child, Node::Text(text) if text.trim().is_empty()));
        }
    }

    /// The whole document.
    pub(crate) fn document(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (key, value) in &self.attributes {
            out.push(' ');
            out.push_str(key);
            out.push_str("=\"");
            out.push_str(&escape(value.as_str()));
            out.push('"');
        }
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for child in &self.children {
            match child {
                Node::Element(element) => element.write(out),
                Node::Text(text) => out.push_str(&escape(text.as_str())),
            }
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
    }

    pub(crate) fn push(&mut self, child: Self) {
        self.children.push(Node::Element(child));
    }

    /// The child elements.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    pub(crate) fn elements_mut(&mut self) -> impl Iterator<Item = &mut Self> {
        self.children.iter_mut().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.elements().find(|child| child.name == name)
    }

    pub(crate) fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.elements_mut().find(|child| child.name == name)
    }

    /// Follows names down, the first of each.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    pub(crate) fn at_mut(&mut self, path: &[&str]) -> Option<&mut Self> {
        path.iter().try_fold(self, |element, name| element.child_mut(name))
    }

    /// The text of this element, without that of children.
    pub(crate) fn text(&self) -> &str {
        self.children
            .iter()
            .find_map(|child| match child {
                Node::Text(text) => Some(text.as_str()),
                Node::Element(_) => None,
            })
            .unwrap_or_default()
    }

    /// The text of a child; empty if there is none.
    pub(crate) fn text_of(&self, name: &str) -> &str {
        self.child(name).map(Self::text).unwrap_or_default()
    }

    /// Sets a child to a text, adding it if there is none.
    pub(crate) fn set(&mut self, name: &str, text: &str) {
        let wanted = Self::with_text(name, text);
        match self.child_mut(name) {
            Some(child) => *child = wanted,
            None => self.push(wanted),
        }
    }

    /// Takes all children of that name away.
    pub(crate) fn remove(&mut self, name: &str) {
        self.children.retain(|child| !matches!(child, Node::Element(element) if element.name == name));
    }

    /// Keeps only the child elements that `keep` is true for.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Self) -> bool) {
        self.children.retain(|child| match child {
            Node::Element(element) => keep(element),
            Node::Text(_) => true,
        });
    }

    /// All elements of that name below this one, in document order.
    pub(crate) fn all<'a>(&'a self, name: &str) -> Vec<&'a Self> {
        let mut found = Vec::new();
        self.collect(name, &mut found);
        found
    }

    fn collect<'a>(&'a self, name: &str, found: &mut Vec<&'a Self>) {
        for element in self.elements() {
            if element.name == name {
                found.push(element);
            }
            element.collect(name, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_survives_reading_and_writing() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A x=\"1&amp;2\"><B>a &lt; b &amp; \u{e9}</B><C/><D> </D></A>";
        let element = Element::parse(text.as_bytes()).expect("well-formed");
        assert_eq!(element.text_of("B"), "a < b & \u{e9}");
        assert_eq!(element.text_of("D"), " ");
        assert_eq!(element.document(), text);
    }

    #[test]
    fn layout_is_dropped() {
        let element = Element::parse(b"<A>\n  <B>1</B>\n  <B>2</B>\n</A>").expect("well-formed");
        assert_eq!(element.all("B").len(), 2);
        assert_eq!(element.children.len(), 2);
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        assert_eq!(Element::parse(b"<A><B></A>"), None);
    }
}
