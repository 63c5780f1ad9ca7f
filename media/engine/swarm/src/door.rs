//! The ways into a server, as dialogues without sockets: a request out, its response in, until the descriptions are exchanged.

use crate::http::{Request, Response};

/// What a dialogue needs from the peer it is about: its descriptions.
pub trait Describe {
    fn offer(&mut self) -> Result<String, String>;
    fn take_answer(&mut self, sdp: &str) -> Result<(), String>;
    fn answer(&mut self, offer: &str) -> Result<String, String>;
}

/// What comes next.
#[derive(Debug, PartialEq)]
pub enum Step {
    Ask(Request),
    /// Both descriptions are known; the transport takes over.
    Done,
}

pub trait Dialogue {
    /// The first step, or the next after a response. An error ends the join; its first word is its kind.
    fn next(&mut self, response: Option<&Response>, peer: &mut dyn Describe) -> Result<Step, String>;

    /// What keeps the door open, to be asked every 25 s.
    fn keep_alive(&mut self) -> Option<Request> {
        None
    }

    /// What to ask when leaving, if there is anything to leave.
    fn leave(&mut self) -> Option<Request>;
}

/// WHIP and WHEP (RFC 9725, draft-ietf-wish-whep): they differ in who sends only.
pub struct Whip {
    url: String,
    token: Option<String>,
    resource: Option<String>,
}

impl Whip {
    pub fn new(url: String, token: Option<String>) -> Whip {
        Whip { url, token, resource: None }
    }
}

impl Dialogue for Whip {
    fn next(&mut self, response: Option<&Response>, peer: &mut dyn Describe) -> Result<Step, String> {
        let Some(response) = response else {
            let (url, token) = (self.url.clone(), self.token.clone());
            return Ok(Step::Ask(Request { method: "POST", url, token, kind: "application/sdp", body: peer.offer()? }));
        };
        if response.status != 201 {
            let said: String = response.body.chars().take(200).collect();
            return Err(format!("http_{} {said}", response.status));
        }
        self.resource = response.location.as_ref().map(|location| crate::http::resolve(&self.url, location));
        peer.take_answer(&response.body).map_err(|e| format!("sdp {e}"))?;
        Ok(Step::Done)
    }

    fn leave(&mut self) -> Option<Request> {
        let url = self.resource.take()?;
        Some(Request { method: "DELETE", url, token: self.token.clone(), ..Request::default() })
    }
}

/// A WHEP door whose server offers, as drafts before the third had it: an empty POST brings the offer, a PATCH of the session takes the
/// answer.
pub struct Offered {
    url: String,
    token: Option<String>,
    resource: Option<String>,
}

impl Offered {
    pub fn new(url: String, token: Option<String>) -> Offered {
        Offered { url, token, resource: None }
    }

    fn request(&self, method: &'static str, url: &str, body: String) -> Step {
        let kind = if body.is_empty() { "" } else { "application/sdp" };
        Step::Ask(Request { method, url: url.into(), token: self.token.clone(), kind, body })
    }
}

impl Dialogue for Offered {
    fn next(&mut self, response: Option<&Response>, peer: &mut dyn Describe) -> Result<Step, String> {
        let Some(response) = response else { return Ok(self.request("POST", &self.url, String::new())) };
        match (response.status, &self.resource, &response.location) {
            (201, None, Some(location)) => {
                // We are the DTLS client, as browsers are; str0m would leave that to the server.
                let offer = response.body.replace("a=setup:actpass", "a=setup:passive");
                let answer = peer.answer(&offer).map_err(|e| format!("sdp {e}"))?;
                let resource = self.resource.insert(crate::http::resolve(&self.url, location)).clone();
                Ok(self.request("PATCH", &resource, answer))
            }
            (200 | 204, Some(_), _) => Ok(Step::Done),
            (status, _, _) => Err(format!("http_{status} {}", response.body.chars().take(200).collect::<String>())),
        }
    }

    fn leave(&mut self) -> Option<Request> {
        let url = self.resource.take()?;
        Some(Request { method: "DELETE", url, token: self.token.clone(), ..Request::default() })
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A peer that writes down what it is told.
    #[derive(Default)]
    pub struct Listener {
        pub heard: Vec<String>,
    }

    impl Describe for Listener {
        fn offer(&mut self) -> Result<String, String> {
            Ok("my offer".into())
        }

        fn take_answer(&mut self, sdp: &str) -> Result<(), String> {
            self.heard.push(sdp.into());
            if sdp == "nonsense" {
                return Err("not SDP".into());
            }
            Ok(())
        }

        fn answer(&mut self, offer: &str) -> Result<String, String> {
            self.heard.push(offer.into());
            Ok("my answer".into())
        }
    }

    fn response(status: u16, body: &str) -> Response {
        Response { status, location: Some("/whip/1".into()), body: body.into() }
    }

    #[test]
    fn an_offer_is_posted_its_answer_taken_and_the_resource_deleted() {
        let (mut door, mut peer) = (Whip::new("http://s/whip".into(), Some("t".into())), Listener::default());
        assert_eq!(door.leave(), None);
        let Ok(Step::Ask(request)) = door.next(None, &mut peer) else { panic!("no request") };
        assert_eq!((request.method, request.body.as_str(), request.token.as_deref()), ("POST", "my offer", Some("t")));
        assert_eq!(door.next(Some(&response(201, "their answer")), &mut peer), Ok(Step::Done));
        assert_eq!(peer.heard, ["their answer"]);
        let leave = door.leave().unwrap();
        assert_eq!((leave.method, leave.url.as_str()), ("DELETE", "http://s/whip/1"));
        assert_eq!(door.leave(), None);
    }

    #[test]
    fn a_refusal_is_told_by_its_status() {
        let (mut door, mut peer) = (Whip::new("http://s/whip".into(), None), Listener::default());
        door.next(None, &mut peer).unwrap();
        assert!(door.next(Some(&response(403, "no")), &mut peer).unwrap_err().starts_with("http_403 "));
        assert!(door.next(Some(&response(201, "nonsense")), &mut peer).unwrap_err().starts_with("sdp "));
    }

    #[test]
    fn a_server_that_offers_is_answered_at_the_session() {
        let (mut door, mut peer) = (Offered::new("http://s/view".into(), None), Listener::default());
        let Ok(Step::Ask(request)) = door.next(None, &mut peer) else { panic!("no request") };
        assert_eq!((request.method, request.url.as_str(), request.body.as_str()), ("POST", "http://s/view", ""));
        let Ok(Step::Ask(request)) = door.next(Some(&response(201, "a=setup:actpass")), &mut peer) else { panic!("no answer") };
        assert_eq!((request.method, request.url.as_str(), request.body.as_str()), ("PATCH", "http://s/whip/1", "my answer"));
        assert_eq!(door.next(Some(&response(204, "")), &mut peer), Ok(Step::Done));
        assert_eq!(peer.heard, ["a=setup:passive"]);
        assert_eq!(door.leave().map(|leave| leave.method), Some("DELETE"));
    }

    #[test]
    fn an_offer_that_is_refused_ends_the_join_at_either_step() {
        let (mut door, mut peer) = (Offered::new("http://s/view".into(), None), Listener::default());
        door.next(None, &mut peer).unwrap();
        assert!(door.next(Some(&response(409, "class_full")), &mut peer).unwrap_err().starts_with("http_409 class_full"));
        assert_eq!(door.leave(), None);
        door.next(Some(&response(201, "their offer")), &mut peer).unwrap();
        assert!(door.next(Some(&response(400, "bad_sdp")), &mut peer).unwrap_err().starts_with("http_400 bad_sdp"));
    }
}
